//! Stretches passwords with scrypt (RFC 7914), with bounds on its parameters.

use scrypt::Params;
use serde::{Deserialize, Serialize};

use super::Secret32;
use super::random::random_bytes;

/// The parameters of scrypt. They are read from disks and sticks that may be
/// hostile: [`ScryptParams::stretch`] refuses those that would take more than
/// 512 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScryptParams {
    /// N = 2^log_n.
    pub log_n: u8,
    /// Block size. Memory is 128 * N * r bytes.
    pub r: u8,
    /// Parallelism.
    pub p: u8,
}

/// The parameters are out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StretchError;

impl ScryptParams {
    /// For PINs and passphrases: 128 MiB, about a quarter of a second.
    pub const PASSPHRASE: Self = Self::new(17);
    /// For combinations of factors, tried at every boot: 32 MiB.
    pub const FACTORS: Self = Self::new(15);
    /// The cheapest that is accepted, for tests.
    #[cfg(test)]
    pub const CHEAPEST: Self = Self::new(10);

    const fn new(log_n: u8) -> Self {
        Self { log_n, r: 8, p: 1 }
    }

    /// [`ScryptParams::FACTORS`]; the cheapest in a test that has asked for them.
    pub fn factors() -> Self {
        #[cfg(test)]
        if CheapFactors::are_wanted() {
            return Self::CHEAPEST;
        }
        Self::FACTORS
    }

    fn bounded(self) -> Result<Params, StretchError> {
        let sane = (10..=19).contains(&self.log_n) && (1..=8).contains(&self.r) && self.p == 1;
        if !sane {
            return Err(StretchError);
        }
        Params::new(self.log_n, u32::from(self.r), u32::from(self.p)).map_err(|_| StretchError)
    }

    /// Stretches a secret that may be guessable to 32 bytes.
    ///
    /// # Errors
    /// [`StretchError`] when the parameters are out of bounds (N from 2^10 to
    /// 2^19, r from 1 to 8, p = 1).
    pub fn stretch(self, password: &[u8], salt: &[u8]) -> Result<Secret32, StretchError> {
        let params = self.bounded()?;
        #[cfg(test)]
        counted::note(self);
        let mut out = Secret32::new([0; 32]);
        scrypt::scrypt(password, salt, &params, out.expose_mut()).map_err(|_| StretchError)?;
        Ok(out)
    }
}

/// How a PIN or passphrase is stretched: parameters and salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// What each guess costs.
    pub params: ScryptParams,
    /// Random, so that a table of guesses cannot be used twice.
    pub salt: [u8; 32],
}

impl Stretch {
    /// A stretch with a new salt.
    pub fn new(params: ScryptParams) -> Self {
        Self {
            params,
            salt: random_bytes(),
        }
    }

    /// Stretches a PIN or passphrase.
    ///
    /// # Errors
    /// [`StretchError`] when the parameters are out of bounds.
    pub fn secret(&self, password: &[u8]) -> Result<Secret32, StretchError> {
        self.params.stretch(password, &self.salt)
    }
}

/// For tests that try many combinations: while it is there, those of this thread cost
/// as little as possible.
#[cfg(test)]
pub use cheap::CheapFactors;

#[cfg(test)]
mod cheap {
    use std::cell::Cell;

    thread_local! {
        static WANTED: Cell<u32> = const { Cell::new(0) };
    }

    pub struct CheapFactors(());

    impl CheapFactors {
        #[must_use]
        pub fn begin() -> Self {
            WANTED.set(WANTED.get() + 1);
            Self(())
        }

        pub(super) fn are_wanted() -> bool {
            WANTED.get() > 0
        }
    }

    impl Drop for CheapFactors {
        fn drop(&mut self) {
            WANTED.set(WANTED.get() - 1);
        }
    }
}

/// Counts what is computed, for tests of what an entry costs.
#[cfg(test)]
pub mod counted {
    use std::cell::RefCell;

    use super::ScryptParams;

    thread_local! {
        static DONE: RefCell<Vec<ScryptParams>> = const { RefCell::new(Vec::new()) };
    }

    pub fn note(params: ScryptParams) {
        DONE.with_borrow_mut(|done| done.push(params));
    }

    /// Every scrypt that `work` computes, in order.
    pub fn scrypts_of<T>(work: impl FnOnce() -> T) -> Vec<ScryptParams> {
        DONE.take();
        work();
        DONE.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrypt_gives_the_published_bytes() {
        // RFC 7914 section 12: "pleaseletmein", "SodiumChloride",
        // N=16384, r=8, p=1; the first 32 of its 64 bytes.
        let expected = [
            0x70, 0x23, 0xbd, 0xcb, 0x3a, 0xfd, 0x73, 0x48, 0x46, 0x1c, 0x06, 0xcd, 0x81, 0xfd,
            0x38, 0xeb, 0xfd, 0xa8, 0xfb, 0xba, 0x90, 0x4f, 0x8e, 0x3e, 0xa9, 0xb5, 0x43, 0xf6,
            0x54, 0x5d, 0xa1, 0xf2,
        ];
        let key = ScryptParams::new(14)
            .stretch(b"pleaseletmein", b"SodiumChloride")
            .unwrap();
        assert_eq!(key.expose(), &expected);
    }

    #[test]
    fn a_hostile_header_cannot_ask_for_a_terabyte() {
        for (log_n, r, p) in [
            (40, 8, 1),
            (20, 8, 1),
            (17, 255, 1),
            (17, 8, 200),
            (0, 8, 1),
            (17, 0, 1),
            (17, 8, 0),
        ] {
            let params = ScryptParams { log_n, r, p };
            assert_eq!(params.stretch(b"x", b"y").err(), Some(StretchError));
        }
    }
}
