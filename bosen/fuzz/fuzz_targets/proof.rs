//! Nobody proves a secret with bytes that were not made with it, from either end, and nothing is
//! set aside for those who try.

#![no_main]

use libfuzzer_sys::fuzz_target;
use strads_common::auth::Secret;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Builder;

fuzz_target!(|bytes: &[u8]| {
    let runtime = Builder::new_current_thread().build().expect("a runtime without input and output");
    runtime.block_on(async {
        let secret = Secret::from_bytes([3; 32]);
        for listens in [true, false] {
            let (mut ours, mut theirs) = tokio::io::duplex(4096);
            // What does not fit is not read either.
            let said = theirs.write_all(&bytes[..bytes.len().min(4000)]).await;
            said.and(theirs.shutdown().await).expect("memory takes what fits");
            let proven = match listens {
                true => secret.listen(&mut ours).await.is_ok(),
                false => secret.call(&mut ours).await.is_ok(),
            };
            assert!(!proven);
        }
    });
});
