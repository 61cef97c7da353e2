//! The pepper: 32 random bytes under which the slots are sealed. It is split
//! over 128,000 bytes, so that losing any part of them loses the pepper.
//!
//! The split is LUKS's anti-forensic splitter (AFsplit, LUKS on-disk format
//! specification 1.2, section 2.4) with SHA-256 and 4000 stripes of 32 bytes.

use sha2::{Digest, Sha256};
use static_assertions::const_assert;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::layout::{Area, BLOCK_SIZE, PEPPER_BLOCKS};
use super::{BlockDevice, VaultError};
use crate::keys::{Secret32, fill_random};

const STRIPES: usize = 4000;
const STRIPE: usize = Secret32::LEN;
const AREA_BYTES: usize = PEPPER_BLOCKS as usize * BLOCK_SIZE;
const_assert!(STRIPES * STRIPE == 128_000);
const_assert!(STRIPES * STRIPE <= AREA_BYTES);

/// SHA-256 of the pepper, stored in the header to recognise a damaged pepper.
/// It reveals nothing about 256 random bits.
pub fn digest(pepper: &Secret32) -> [u8; 32] {
    Sha256::digest(pepper.expose()).into()
}

fn diffuse(state: &mut [u8; STRIPE]) {
    let hash = Sha256::new()
        .chain_update(0u32.to_be_bytes())
        .chain_update(&state[..])
        .finalize();
    state.copy_from_slice(&hash);
}

fn fold(state: &mut [u8; STRIPE], stripe: &[u8]) {
    for (into, from) in state.iter_mut().zip(stripe) {
        *into ^= from;
    }
}

/// Splits the pepper: all stripes but the last are random, and the last
/// completes the pepper.
fn split(pepper: &Secret32) -> Zeroizing<Vec<u8>> {
    let mut area = Zeroizing::new(vec![0; AREA_BYTES]);
    fill_random(&mut area);
    let mut state = Zeroizing::new([0; STRIPE]);
    let last = (STRIPES - 1) * STRIPE;
    for stripe in area[..last].chunks_exact(STRIPE) {
        fold(&mut state, stripe);
        diffuse(&mut state);
    }
    fold(&mut state, pepper.expose());
    area[last..last + STRIPE].copy_from_slice(&state[..]);
    area
}

fn merge(area: &[u8]) -> Secret32 {
    let mut state = Zeroizing::new([0; STRIPE]);
    let last = (STRIPES - 1) * STRIPE;
    for stripe in area[..last].chunks_exact(STRIPE) {
        fold(&mut state, stripe);
        diffuse(&mut state);
    }
    fold(&mut state, &area[last..last + STRIPE]);
    Secret32::new(*state)
}

/// Splits the pepper, writes it to its area and flushes.
///
/// # Errors
/// [`VaultError::Device`].
pub fn write(
    device: &mut dyn BlockDevice,
    area: Area,
    pepper: &Secret32,
) -> Result<(), VaultError> {
    device.write_blocks(area.pepper(), &split(pepper))?;
    device.flush()
}

/// Reads the pepper and compares it with the digest in the header.
///
/// # Errors
/// [`VaultError::PepperDamaged`] when the digest is another one;
/// [`VaultError::Device`].
pub fn read(
    device: &dyn BlockDevice,
    area: Area,
    expected: &[u8; 32],
) -> Result<Secret32, VaultError> {
    let mut bytes = Zeroizing::new(vec![0; AREA_BYTES]);
    device.read_blocks(area.pepper(), &mut bytes)?;
    let pepper = merge(&bytes);
    if bool::from(digest(&pepper).ct_eq(expected)) {
        Ok(pepper)
    } else {
        Err(VaultError::PepperDamaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_pepper_merges_again() {
        let pepper = Secret32::random();
        assert_eq!(merge(&split(&pepper)).expose(), pepper.expose());
    }

    #[test]
    fn one_lost_bit_anywhere_loses_the_pepper() {
        let pepper = Secret32::random();
        for at in [0, 1, 63_999, 127_968, 127_999] {
            let mut area = split(&pepper);
            area[at] ^= 1;
            assert_ne!(merge(&area).expose(), pepper.expose(), "byte {at}");
        }
    }

    #[test]
    fn the_pepper_itself_is_nowhere_on_the_disk() {
        let pepper = Secret32::random();
        let area = split(&pepper);
        assert!(!area.windows(16).any(|part| part == &pepper.expose()[..16]));
    }
}
