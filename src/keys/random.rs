//! Random bytes, from the kernel only.

use rand::TryRng;
use rand::rngs::SysRng;

/// `N` random bytes from getrandom(2), which blocks until the kernel's
/// generator is seeded.
///
/// # Panics
/// If the kernel gives no random bytes. There is no safe way to go on without
/// them; in the boot stage a panic leaves the server locked.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill_random(&mut bytes);
    bytes
}

/// Fills `bytes` with random bytes from getrandom(2).
///
/// # Panics
/// If the kernel gives no random bytes.
pub fn fill_random(bytes: &mut [u8]) {
    SysRng
        .try_fill_bytes(bytes)
        .expect("the kernel gives random bytes");
}
