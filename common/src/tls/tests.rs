//! No way in through TLS: another secret, no certificate, a recorded handshake, an older version
//! and handshakes without end are refused, and a sealed link shows nothing of what it carries.

use super::*;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

fn secret(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}

/// Carries bytes between two streams, and returns what the near end sent and what it was sent.
async fn relay(mut near: DuplexStream, mut far: DuplexStream) -> (Vec<u8>, Vec<u8>) {
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            n = near.read(&mut up) => {
                let n = n.unwrap();
                if n == 0 { return (sent, received) }
                sent.extend_from_slice(&up[..n]);
                far.write_all(&up[..n]).await.unwrap();
            }
            n = far.read(&mut down) => {
                let n = n.unwrap();
                if n == 0 { return (sent, received) }
                received.extend_from_slice(&down[..n]);
                near.write_all(&down[..n]).await.unwrap();
            }
        }
    }
}

const WORD: &[u8] = b"coefficients that nobody else should see";

/// A whole conversation, in which the caller says [`WORD`], as the wire saw it.
async fn conversation(secret: &Secret) -> (Vec<u8>, Vec<u8>) {
    let (caller, near) = duplex(1 << 16);
    let (far, listener) = duplex(1 << 16);
    let calling = async {
        let mut stream = call(caller, secret).await.unwrap();
        stream.write_all(WORD).await.unwrap();
        stream.flush().await.unwrap();
        stream
    };
    let listening = async {
        let mut stream = accept(listener, secret).await.unwrap();
        let mut heard = vec![0; WORD.len()];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(heard, WORD);
        stream
    };
    let talk = async { drop(tokio::join!(calling, listening)) };
    tokio::join!(relay(near, far), talk).0
}

#[tokio::test]
async fn a_sealed_link_shows_nothing() {
    let secret = secret(1);
    let (sent, received) = conversation(&secret).await;
    assert!(sent.len() > 300 && received.len() > 300);
    let shows = |what: &[u8]| {
        let within = |bytes: &[u8]| bytes.windows(what.len()).any(|window| window == what);
        within(&sent) || within(&received)
    };
    assert!(!shows(&WORD[..12]) && !shows(secret.bytes()));
    // Not even whose job it is: the certificates are under the seal too.
    assert!(!shows(&Job::of(&secret).trust.certificate));
}

#[tokio::test]
async fn a_replayed_handshake_is_refused() {
    let (sent, _) = conversation(&secret(1)).await;
    let (mut stranger, listener) = duplex(1 << 16);
    stranger.write_all(&sent).await.unwrap();
    assert!(accept(listener, &secret(1)).await.is_err());
}

#[tokio::test]
async fn another_secret_is_refused_by_both() {
    let (caller, listener) = duplex(1 << 16);
    let (right, wrong) = (secret(1), secret(2));
    let (called, accepted) = tokio::join!(call(caller, &wrong), accept(listener, &right));
    assert!(called.is_err() && accepted.is_err());
}

/// A caller that would trust the listener, but has no certificate, or another job's.
#[tokio::test]
async fn a_caller_without_the_jobs_certificate_is_refused() {
    let (right, wrong) = (Job::of(&secret(1)), Job::of(&secret(2)));
    let trusting = || {
        ClientConfig::builder_with_provider(right.trust.provider.clone())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(right.trust.clone())
    };
    let stolen = vec![right.trust.certificate.clone()];
    let other = vec![wrong.trust.certificate.clone()];
    for config in [
        trusting().with_no_client_auth(),
        trusting()
            .with_client_auth_cert(other, wrong.key())
            .unwrap(),
        // The certificate is no secret; signing with its key is what counts.
        trusting().with_client_cert_resolver(Arc::new(Forger(stolen, wrong.key()))),
    ] {
        let (caller, listener) = duplex(1 << 16);
        let name = ServerName::try_from(NAME).unwrap();
        let calling = TlsConnector::from(Arc::new(config)).connect(name, caller);
        let right = secret(1);
        let (_, accepted) = tokio::join!(calling, accept(listener, &right));
        assert!(accepted.is_err());
    }
}

/// Shows a certificate and signs with another key.
#[derive(Debug)]
struct Forger(
    Vec<CertificateDer<'static>>,
    tokio_rustls::rustls::pki_types::PrivateKeyDer<'static>,
);

impl tokio_rustls::rustls::client::ResolvesClientCert for Forger {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[SignatureScheme],
    ) -> Option<Arc<tokio_rustls::rustls::sign::CertifiedKey>> {
        let key = ring::sign::any_supported_type(&self.1).unwrap();
        let shown = tokio_rustls::rustls::sign::CertifiedKey::new(self.0.clone(), key);
        Some(Arc::new(shown))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// A greeting of TLS 1.2, as a caller that knows nothing newer sends it.
#[tokio::test]
async fn an_older_version_is_refused() {
    let mut hello = vec![3, 3];
    hello.extend_from_slice(&[7; 32]);
    hello.push(0);
    hello.extend_from_slice(&[0, 2, 0xc0, 0x2b, 1, 0]);
    // Groups and signatures that are known here, but no versions.
    hello.extend_from_slice(&[0, 16, 0, 10, 0, 4, 0, 2, 0, 29, 0, 13, 0, 4, 0, 2, 8, 7]);
    let mut record = vec![
        0x16,
        3,
        1,
        0,
        hello.len() as u8 + 4,
        1,
        0,
        0,
        hello.len() as u8,
    ];
    record.extend_from_slice(&hello);
    let (mut stranger, listener) = duplex(1 << 16);
    stranger.write_all(&record).await.unwrap();
    let refused = accept(listener, &secret(1)).await.unwrap_err();
    assert!(
        refused.to_string().contains("SupportedVersions"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_handshake_without_end_is_refused() {
    let (mut stranger, listener) = duplex(1 << 10);
    let flood = async move {
        // A message that announces 16 MiB, in records of the largest size.
        let mut record = vec![0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff];
        record.resize(5 + 0x4000, 0);
        let mut written = 0;
        while stranger.write_all(&record).await.is_ok() {
            written += record.len();
            record[5..9].fill(0);
        }
        written
    };
    let job = secret(1);
    let listening = async { accept(listener, &job).await.is_err() };
    let ends = async { tokio::join!(flood, listening) };
    let ends = tokio::time::timeout(Duration::from_secs(20), ends).await;
    let (written, refused) = ends.unwrap();
    assert!(refused && written < 1 << 20, "{written}");
}
