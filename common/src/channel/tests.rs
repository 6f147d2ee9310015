//! Nobody gets a channel without the secret, by plain text where a seal is due, or by a frame of
//! 2 GB before the proof; and which links are sealed follows from their addresses alone.

use super::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn secret(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let called = TcpStream::connect(listener.local_addr().unwrap());
    let (called, accepted) = tokio::join!(called, listener.accept());
    (called.unwrap(), accepted.unwrap().0)
}

#[test]
fn a_link_stays_on_its_host_by_both_addresses() {
    for (own, peer, stays) in [
        ("127.0.0.1:1", "127.0.0.2:2", true),
        ("[::1]:1", "[::1]:2", true),
        ("[::ffff:127.0.0.1]:1", "127.0.0.1:2", true),
        ("10.0.0.1:1", "10.0.0.1:2", true),
        ("10.0.0.1:1", "10.0.0.2:2", false),
        ("127.0.0.1:1", "10.0.0.2:2", false),
        ("10.0.0.2:1", "127.0.0.1:2", false),
        ("[fe80::1]:1", "[fe80::2]:2", false),
    ] {
        let (own, peer) = (own.parse().unwrap(), peer.parse().unwrap());
        assert_eq!(stays_on_host(own, peer), stays, "{own} {peer}");
    }
}

#[tokio::test]
async fn the_same_secret_opens_a_channel() {
    let (called, accepted) = pair().await;
    let secret = secret(1);
    let ends = tokio::join!(call(called, &secret), accept(accepted, &secret));
    let ((_, mut writing), (mut reading, _)) = (ends.0.unwrap(), ends.1.unwrap());
    writing.write_all(b"a frame").await.unwrap();
    let mut seen = [0; 7];
    reading.read_exact(&mut seen).await.unwrap();
    assert_eq!(&seen, b"a frame");
}

#[tokio::test]
async fn another_secret_opens_none() {
    let (called, accepted) = pair().await;
    let (right, wrong) = (secret(1), secret(2));
    let ends = tokio::join!(call(called, &wrong), accept(accepted, &right));
    assert!(matches!(ends.0, Err(AuthError::Proof)));
    assert!(ends.1.is_err());
}

/// Even one who knows the secret does not talk a sealed link down.
#[tokio::test]
async fn plain_text_is_refused_where_a_seal_is_due() {
    let (called, accepted) = pair().await;
    let secret = secret(1);
    let ends = tokio::join!(
        call_in_clear(called, &secret),
        accept_sealed(accepted, &secret)
    );
    assert!(ends.0.is_err());
    assert!(matches!(ends.1, Err(AuthError::PlainText)));
}

#[tokio::test]
async fn a_frame_of_two_gigabytes_before_the_proof_is_refused() {
    let mut frame = (2u32 << 30).to_le_bytes().to_vec();
    frame.extend_from_slice(&[1; 36]);
    let (mut stranger, accepted) = pair().await;
    stranger.write_all(&frame).await.unwrap();
    let refused = accept(accepted, &secret(1)).await;
    assert!(matches!(refused, Err(AuthError::Greeting)));

    let (mut stranger, accepted) = pair().await;
    stranger.write_all(&frame).await.unwrap();
    let refused = accept_sealed(accepted, &secret(1)).await;
    assert!(matches!(refused, Err(AuthError::PlainText)));
}
