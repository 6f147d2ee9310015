//! Mutual proof that both ends of a connection know the job's secret, before anything else.
//!
//! ```text
//! caller   → "STRADS\0\1", nonce
//! listener → nonce, HMAC-SHA256(secret, "listener" ‖ caller's nonce ‖ listener's nonce)
//! caller   → HMAC-SHA256(secret, "caller" ‖ caller's nonce ‖ listener's nonce)
//! ```
//!
//! The messages have fixed lengths, so that a stranger makes nobody allocate; the nonces are
//! fresh, so that a recorded exchange is worth nothing; the two proofs differ, so that one cannot
//! be sent back. It says who began to talk and does not hide or seal what follows: on a network
//! with others on it, that is TLS's part ([`crate::channel`]).

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const GREETING: &[u8; 8] = b"STRADS\0\x01";
const NONCE_BYTES: usize = 32;
const PROOF_BYTES: usize = 32;

/// A job's secret, and whether links that leave the host are sealed with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    bytes: [u8; 32],
    clear: bool,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why a connection is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The connection failed, or ended in the middle.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// The system gives no random numbers.
    #[error("no random numbers: {0}")]
    Random(getrandom::Error),
    /// The peer speaks something else.
    #[error("the peer does not speak this protocol")]
    Greeting,
    /// The peer does not know the secret.
    #[error("the peer does not know the job's secret")]
    Proof,
    /// The peer speaks plain text on a link that has to be sealed.
    #[error(
        "the peer speaks plain text on a link that leaves the host; \
         both ends seal such links, or both are told --no-tls"
    )]
    PlainText,
    /// The seal could not be made.
    #[error("TLS: {0}; both ends need the same secret, and --no-tls is for both or for none")]
    Tls(io::Error),
}

impl Secret {
    /// A new secret, from the system's randomness.
    pub fn generate() -> Result<Secret, AuthError> {
        Ok(Secret::from_bytes(random()?))
    }

    /// The secret with these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Secret {
        Secret {
            bytes,
            clear: false,
        }
    }

    /// The bytes, to be handed to the job's other processes by a safe way.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The secret that is written as 64 hexadecimal digits, with white space round them.
    pub fn from_hexadecimal(text: &str) -> Option<Secret> {
        let digits = text.trim().as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16);
            *byte = (digit(0)? << 4 | digit(1)?) as u8;
        }
        Some(Secret::from_bytes(bytes))
    }

    /// The bytes as 64 hexadecimal digits.
    pub fn to_hexadecimal(&self) -> String {
        self.bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The same secret, for a job whose links all go without TLS.
    pub fn in_clear(self) -> Secret {
        Secret {
            clear: true,
            ..self
        }
    }

    /// Whether links that leave the host go without TLS too.
    pub fn is_clear(&self) -> bool {
        self.clear
    }

    /// Bytes for another use, from which neither the secret nor those of a third use can be told.
    pub(crate) fn derive(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose, &[], &[]).finalize().into_bytes().into()
    }

    fn mac(&self, role: &str, caller: &[u8], listener: &[u8]) -> Hmac<Sha256> {
        let mac =
            Hmac::<Sha256>::new_from_slice(&self.bytes).expect("HMAC takes keys of any length");
        mac.chain_update(role)
            .chain_update(caller)
            .chain_update(listener)
    }

    /// Proves knowledge of the secret to a listener, and lets it do the same.
    pub async fn call(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<(), AuthError> {
        let own: [u8; NONCE_BYTES] = random()?;
        stream.write_all(&[&GREETING[..], &own].concat()).await?;
        let mut answer = [0; NONCE_BYTES + PROOF_BYTES];
        stream.read_exact(&mut answer).await?;
        let (theirs, proof) = answer.split_at(NONCE_BYTES);
        self.mac("listener", &own, theirs)
            .verify_slice(proof)
            .map_err(|_| AuthError::Proof)?;
        let proof = self.mac("caller", &own, theirs).finalize().into_bytes();
        stream.write_all(&proof).await?;
        Ok(())
    }

    /// Lets a caller prove knowledge of the secret, and does the same.
    pub async fn listen(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<(), AuthError> {
        let mut greeting = [0; GREETING.len() + NONCE_BYTES];
        stream.read_exact(&mut greeting).await?;
        let theirs = greeting.strip_prefix(GREETING).ok_or(AuthError::Greeting)?;
        let own: [u8; NONCE_BYTES] = random()?;
        let proof = self.mac("listener", theirs, &own).finalize().into_bytes();
        stream.write_all(&[&own[..], &proof].concat()).await?;
        let mut proof = [0; PROOF_BYTES];
        stream.read_exact(&mut proof).await?;
        self.mac("caller", theirs, &own)
            .verify_slice(&proof)
            .map_err(|_| AuthError::Proof)
    }
}

fn random<const N: usize>() -> Result<[u8; N], AuthError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(AuthError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    //! Both ends must know the secret; a recorded exchange, a reflected proof and noise fail.
    use super::*;
    use tokio::io::duplex;

    fn secret(byte: u8) -> Secret {
        Secret::from_bytes([byte; 32])
    }

    #[tokio::test]
    async fn the_same_secret_is_recognised() {
        let (mut caller, mut listener) = duplex(1024);
        let (a, b) = (secret(1), secret(1));
        let (called, listened) = tokio::join!(a.call(&mut caller), b.listen(&mut listener));
        assert!(called.is_ok() && listened.is_ok());
    }

    #[tokio::test]
    async fn another_secret_is_refused_by_the_caller_first() {
        let (mut caller, mut listener) = duplex(1024);
        let (a, b) = (secret(1), secret(2));
        let listening = async move { b.listen(&mut listener).await };
        let calling = async move { a.call(&mut caller).await };
        let (called, listened) = tokio::join!(calling, listening);
        assert!(matches!(called, Err(AuthError::Proof)));
        assert!(listened.is_err());
    }

    #[tokio::test]
    async fn a_replayed_exchange_is_refused() {
        // Record what a real caller sends, against a listener in our hands.
        let (mut caller, mut recorder) = duplex(1024);
        let real = tokio::spawn(async move { secret(1).call(&mut caller).await });
        let mut greeting = [0; 40];
        recorder.read_exact(&mut greeting).await.unwrap();
        let nonce = [7; 32];
        let proof = secret(1)
            .mac("listener", &greeting[8..], &nonce)
            .finalize()
            .into_bytes();
        recorder
            .write_all(&[&nonce[..], &proof].concat())
            .await
            .unwrap();
        let mut recorded = [0; 32];
        recorder.read_exact(&mut recorded).await.unwrap();
        real.await.unwrap().unwrap();

        let (mut stranger, mut listener) = duplex(1024);
        stranger
            .write_all(&[&greeting[..], &recorded].concat())
            .await
            .unwrap();
        assert!(matches!(
            secret(1).listen(&mut listener).await,
            Err(AuthError::Proof)
        ));
    }

    #[tokio::test]
    async fn a_reflected_proof_is_refused() {
        let (mut stranger, mut listener) = duplex(1024);
        let listening = tokio::spawn(async move { secret(1).listen(&mut listener).await });
        stranger
            .write_all(&[&GREETING[..], &[9; 32]].concat())
            .await
            .unwrap();
        let mut answer = [0; 64];
        stranger.read_exact(&mut answer).await.unwrap();
        stranger.write_all(&answer[32..]).await.unwrap();
        assert!(matches!(listening.await.unwrap(), Err(AuthError::Proof)));
    }

    #[tokio::test]
    async fn a_stranger_is_refused_at_the_greeting() {
        let (mut stranger, mut listener) = duplex(1024);
        stranger
            .write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAccept: */*\r\n\r\n")
            .await
            .unwrap();
        assert!(matches!(
            secret(1).listen(&mut listener).await,
            Err(AuthError::Greeting)
        ));
    }
}
