//! TLS 1.3 within a job: both ends show the job's certificate and accept no other.
//!
//! Key and certificate are functions of the job's secret, so that nothing else has to be handed
//! out, and whoever signs with the certificate's key knows the secret. There is no authority, no
//! name and no date to be checked: the certificate lives as long as the secret. Nothing older than
//! TLS 1.3 is spoken, sessions are not resumed, and no data are taken before the handshake is over;
//! so a recorded handshake opens nothing.

use std::io;
use std::sync::Arc;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ED25519};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName as Subject, Error,
    ServerConfig, SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::auth::Secret;

/// What precedes the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410, section 7).
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The name that the handshake carries and nobody checks.
const NAME: &str = "strads.invalid";

/// Seals `stream` as the end that called.
pub async fn call<S>(stream: S, secret: &Secret) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = client(&Job::of(secret)).map_err(io::Error::other)?;
    let name = ServerName::try_from(NAME).expect("a constant name is a name");
    let sealed = TlsConnector::from(Arc::new(config)).connect(name, stream);
    Ok(sealed.await?.into())
}

/// Seals `stream` as the end that listened.
pub async fn accept<S>(stream: S, secret: &Secret) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let config = server(&Job::of(secret)).map_err(io::Error::other)?;
    let sealed = TlsAcceptor::from(Arc::new(config)).accept(stream);
    Ok(sealed.await?.into())
}

fn client(job: &Job) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(job.trust.provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(job.trust.clone())
        .with_client_auth_cert(vec![job.trust.certificate.clone()], job.key())?;
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn server(job: &Job) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(job.trust.provider.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(job.trust.clone())
        .with_single_cert(vec![job.trust.certificate.clone()], job.key())?;
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// What an end of a job's link has: the key, and the certificate, which is all that it trusts.
struct Job {
    pkcs8: Vec<u8>,
    trust: Arc<Trust>,
}

impl Job {
    fn of(secret: &Secret) -> Job {
        let pkcs8 = [&PKCS8_PREFIX[..], &secret.derive("tls key")].concat();
        let key = PrivatePkcs8KeyDer::from(pkcs8.clone());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519)
            .expect("any 32 bytes are an Ed25519 key");
        let mut parameters =
            CertificateParams::new([NAME.to_owned()]).expect("a constant name is a name");
        parameters.distinguished_name = DistinguishedName::new();
        let certificate = parameters
            .self_signed(&key)
            .expect("a key of a known kind signs");
        let trust = Trust {
            certificate: certificate.der().clone(),
            provider: Arc::new(ring::default_provider()),
        };
        Job {
            pkcs8,
            trust: Arc::new(trust),
        }
    }

    fn key(&self) -> tokio_rustls::rustls::pki_types::PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.pkcs8.clone()).into()
    }
}

/// Accepts the job's certificate and nothing else.
#[derive(Debug)]
struct Trust {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    fn is_the_jobs(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        if *shown == self.certificate {
            Ok(())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn is_signed(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }
}

/// TLS 1.2 is not offered; whoever speaks it has not come this far.
fn old() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.3 is spoken here".into()))
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _revocation: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.is_the_jobs(shown)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.is_signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Trust {
    fn root_hint_subjects(&self) -> &[Subject] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.is_the_jobs(shown)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.is_signed(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests;
