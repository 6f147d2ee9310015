//! The bodies of control frames: small values, by serde and `bincode` 2.0, which only this module
//! knows.

use super::WireError;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest control body, and the most that decoding one allocates.
pub const LIMIT_BYTES: usize = 4096;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<LIMIT_BYTES>()
}

/// The body that says `value`.
pub fn encode(value: &impl Serialize) -> Bytes {
    bincode::serde::encode_to_vec(value, config())
        .expect("control values are small plain data")
        .into()
}

/// What a body says, if it says exactly that.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, WireError> {
    match bincode::serde::decode_from_slice(body, config()) {
        Ok((value, length)) if length == body.len() => Ok(value),
        _ => Err(WireError::Control),
    }
}
