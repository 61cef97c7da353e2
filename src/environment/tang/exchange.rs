//! The exchange with a key server, as arithmetic (McCallum and Relyea, as
//! Tang has it). Pure but for the random numbers.
//!
//! The server has a secret s and publishes S = s·G. Enrolling draws c, stores C
//! = c·G and the value of K = c·S, and forgets c. To recover K, the client
//! sends x = C + e·G with a fresh e; the server answers y = s·x, and K = y -
//! e·S. Neither the server nor an eavesdropper learns K, and without s nobody
//! can compute it.
//!
//! e·S is computed before the answer comes, so that only a subtraction is left.

use core::cell::OnceCell;

use heapless::Vec;
use hkdf::Hkdf;
use p256::NistP256;
use p521::NistP521;
use p521::elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use p521::elliptic_curve::{
    AffinePoint, CurveArithmetic, FieldBytesSize, Generate, Group, NonZeroScalar, ProjectivePoint,
};
use rand::rngs::SysRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::keys::Secret32;
use crate::vault::{Curve, PointBytes, PublicKey};

/// A point that an exchange cannot use: off the curve, at infinity, or of
/// another curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPoint;

/// The HKDF label under which a factor's value is derived from K.
const VALUE: &[u8] = b"stayput key server v1";

/// Checks that a point is on its curve.
///
/// # Errors
/// [`BadPoint`].
pub(super) fn check_point(curve: Curve, point: &[u8]) -> Result<(), BadPoint> {
    match curve {
        Curve::P256 => read::<NistP256>(point).map(drop),
        Curve::P521 => read::<NistP521>(point).map(drop),
    }
}

/// Reads an uncompressed point (SEC 1, section 2.3.4) and checks that it is on
/// the curve.
fn read<C>(bytes: &[u8]) -> Result<AffinePoint<C>, BadPoint>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C>,
{
    // Only the uncompressed form: the point at infinity has none.
    if bytes.first() != Some(&4) {
        return Err(BadPoint);
    }
    AffinePoint::<C>::from_sec1_bytes(bytes).map_err(|_| BadPoint)
}

fn write<C>(point: ProjectivePoint<C>) -> Result<PointBytes, BadPoint>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: ToSec1Point<C>,
{
    let affine: AffinePoint<C> = point.into();
    let bytes = affine.to_sec1_point(false);
    // The point at infinity is one byte.
    match bytes.as_bytes() {
        bytes @ [4, ..] => Vec::from_slice(bytes).map_err(|_| BadPoint),
        _ => Err(BadPoint),
    }
}

/// The factor's value: 32 bytes derived from K.
fn value_of<C>(k: ProjectivePoint<C>) -> Result<Secret32, BadPoint>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: ToSec1Point<C>,
{
    let point = Zeroizing::new(write::<C>(k)?);
    let mut value = Secret32::new([0; 32]);
    Hkdf::<Sha256>::new(None, &point)
        .expand(VALUE, value.expose_mut())
        .expect("32 bytes is a valid HKDF-SHA256 output length");
    Ok(value)
}

type Scalar<C> = Zeroizing<NonZeroScalar<C>>;

/// A random scalar.
///
/// # Panics
/// If the kernel has no random bytes to give.
fn random<C: CurveArithmetic>() -> Scalar<C> {
    let scalar = NonZeroScalar::<C>::try_generate_from_rng(&mut SysRng);
    Zeroizing::new(scalar.expect("the kernel gives random bytes"))
}

/// Enrols with the server's key: returns C and the value of K.
#[cfg(feature = "admin")]
fn enrol_on<C>(exchange: &[u8]) -> Result<(PointBytes, Secret32), BadPoint>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    let server = read::<C>(exchange)?;
    let c = random::<C>();
    let ours = write::<C>(ProjectivePoint::<C>::generator() * **c)?;
    let k = Zeroizing::new(ProjectivePoint::<C>::from(server) * **c);
    Ok((ours, value_of::<C>(*k)?))
}

/// The secrets of one exchange.
struct Blinding<C: CurveArithmetic> {
    e: Scalar<C>,
    server: AffinePoint<C>,
    /// e·S, computed at the first use.
    mask: OnceCell<Zeroizing<ProjectivePoint<C>>>,
}

impl<C> Blinding<C>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    /// Draws e; returns x too.
    fn new(exchange: &[u8], ours: &[u8]) -> Result<(Self, PointBytes), BadPoint> {
        let server = read::<C>(exchange)?;
        let ours = ProjectivePoint::<C>::from(read::<C>(ours)?);
        let e = random::<C>();
        let x = write::<C>(ours + ProjectivePoint::<C>::generator() * **e)?;
        let mask = OnceCell::new();
        Ok((Self { e, server, mask }, x))
    }

    fn mask(&self) -> &ProjectivePoint<C> {
        self.mask
            .get_or_init(|| Zeroizing::new(ProjectivePoint::<C>::from(self.server) * **self.e))
    }

    fn precompute(&self) -> bool {
        let is_new = self.mask.get().is_none();
        self.mask();
        is_new
    }

    fn finish(&self, y: &[u8]) -> Result<Secret32, BadPoint> {
        let y = ProjectivePoint::<C>::from(read::<C>(y)?);
        let k = Zeroizing::new(y - self.mask());
        value_of::<C>(*k)
    }
}

/// Enrols with a server's key: returns the point to store, and the factor's
/// value, which can be computed again only with the server's help.
///
/// # Errors
/// [`BadPoint`] where the server's key is not on its curve.
#[cfg(feature = "admin")]
pub fn enrol(exchange: &PublicKey) -> Result<(PointBytes, Secret32), BadPoint> {
    match exchange.curve {
        Curve::P256 => enrol_on::<NistP256>(&exchange.point),
        Curve::P521 => enrol_on::<NistP521>(&exchange.point),
    }
}

enum AnyBlinding {
    P256(Blinding<NistP256>),
    // Boxed: it is twice as large.
    P521(Box<Blinding<NistP521>>),
}

/// One exchange: the point that is sent, and the secrets that stay here, which
/// are erased on drop.
pub struct Exchange {
    /// The point x that is sent. It tells nothing about the enrolled value.
    pub x: PointBytes,
    blinding: AnyBlinding,
}

impl Exchange {
    /// Begins an exchange with the server whose key is `exchange`. `ours` is
    /// the point that was stored when it was enrolled.
    ///
    /// # Errors
    /// [`BadPoint`] where the stored points are damaged.
    pub fn new(exchange: &PublicKey, ours: &[u8]) -> Result<Self, BadPoint> {
        let server = &exchange.point;
        Ok(match exchange.curve {
            Curve::P256 => {
                let (blinding, x) = Blinding::new(server, ours)?;
                let blinding = AnyBlinding::P256(blinding);
                Self { x, blinding }
            }
            Curve::P521 => {
                let (blinding, x) = Blinding::new(server, ours)?;
                let blinding = AnyBlinding::P521(Box::new(blinding));
                Self { x, blinding }
            }
        })
    }

    /// Computes e·S, which [`Exchange::finish`] needs; returns false where that
    /// was done already.
    pub fn precompute(&self) -> bool {
        match &self.blinding {
            AnyBlinding::P256(blinding) => blinding.precompute(),
            AnyBlinding::P521(blinding) => blinding.precompute(),
        }
    }

    /// The factor's value from the server's answer. Only a row of the vault can
    /// tell whether it is right.
    ///
    /// # Errors
    /// [`BadPoint`] where the answer is no point of the server's curve.
    pub fn finish(&self, answer: &PublicKey) -> Result<Secret32, BadPoint> {
        let y = &answer.point;
        match (&self.blinding, answer.curve) {
            (AnyBlinding::P256(blinding), Curve::P256) => blinding.finish(y),
            (AnyBlinding::P521(blinding), Curve::P521) => blinding.finish(y),
            _ => Err(BadPoint),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const CURVES: [Curve; 2] = [Curve::P256, Curve::P521];

    /// A server that keeps its secret, for tests.
    pub enum Peer {
        P256(Scalar<NistP256>),
        P521(Scalar<NistP521>),
    }

    impl Peer {
        pub fn new(curve: Curve) -> Self {
            match curve {
                Curve::P256 => Self::P256(random()),
                Curve::P521 => Self::P521(random()),
            }
        }

        pub fn key(&self) -> PublicKey {
            let (curve, point) = match self {
                Self::P256(s) => (
                    Curve::P256,
                    write::<NistP256>(ProjectivePoint::<NistP256>::generator() * ***s),
                ),
                Self::P521(s) => (
                    Curve::P521,
                    write::<NistP521>(ProjectivePoint::<NistP521>::generator() * ***s),
                ),
            };
            let point = point.unwrap();
            PublicKey { curve, point }
        }

        /// s·x.
        pub fn answer(&self, x: &[u8]) -> PublicKey {
            let (curve, point) = match self {
                Self::P256(s) => {
                    let x = ProjectivePoint::<NistP256>::from(read::<NistP256>(x).unwrap());
                    (Curve::P256, write::<NistP256>(x * ***s))
                }
                Self::P521(s) => {
                    let x = ProjectivePoint::<NistP521>::from(read::<NistP521>(x).unwrap());
                    (Curve::P521, write::<NistP521>(x * ***s))
                }
            };
            let point = point.unwrap();
            PublicKey { curve, point }
        }
    }

    #[test]
    fn the_value_stays_the_same_and_no_point_is_sent_twice() {
        for curve in CURVES {
            let peer = Peer::new(curve);
            let (ours, value) = enrol(&peer.key()).unwrap();
            let mut sent = std::vec::Vec::new();
            for ahead in [true, false, true] {
                let exchange = Exchange::new(&peer.key(), &ours).unwrap();
                assert!(!ahead || exchange.precompute());
                assert!(!ahead || !exchange.precompute());
                let again = exchange.finish(&peer.answer(&exchange.x)).unwrap();
                assert_eq!(again.expose(), value.expose());
                assert!(!sent.contains(&exchange.x) && exchange.x != ours);
                sent.push(exchange.x.clone());
            }
        }
    }

    #[test]
    fn another_server_and_another_enrolment_give_other_values() {
        for curve in CURVES {
            let (peer, other) = (Peer::new(curve), Peer::new(curve));
            let (ours, value) = enrol(&peer.key()).unwrap();
            let exchange = Exchange::new(&peer.key(), &ours).unwrap();
            let wrong = exchange.finish(&other.answer(&exchange.x)).unwrap();
            assert_ne!(wrong.expose(), value.expose());
            assert_ne!(enrol(&peer.key()).unwrap().1.expose(), value.expose());
        }
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        for curve in CURVES {
            let peer = Peer::new(curve);
            let (ours, _) = enrol(&peer.key()).unwrap();
            let exchange = Exchange::new(&peer.key(), &ours).unwrap();
            let right = peer.answer(&exchange.x);
            let mut off = right.clone();
            *off.point.last_mut().unwrap() ^= 1;
            let zero = vec![0; curve.coordinate()];
            let other = CURVES.into_iter().find(|other| *other != curve).unwrap();
            let mut compressed = right.point[..=curve.coordinate()].to_vec();
            compressed[0] = 2 + (right.point.last().unwrap() & 1);
            let wrong: [&[u8]; 5] = [
                &off.point,
                &curve.point(&zero, &zero).unwrap(),
                // The point at infinity as SEC 1 writes it.
                &[0],
                &[],
                &compressed,
            ];
            for wrong in wrong {
                let point = Vec::from_slice(wrong).unwrap();
                let answer = PublicKey { curve, point };
                assert_eq!(exchange.finish(&answer).err(), Some(BadPoint));
                assert_eq!(enrol(&answer).err(), Some(BadPoint));
                assert_eq!(Exchange::new(&answer, &ours).err(), Some(BadPoint));
                assert_eq!(Exchange::new(&peer.key(), wrong).err(), Some(BadPoint));
            }
            let of_other = Peer::new(other).key();
            assert!(exchange.finish(&of_other).is_err());
            // y = e·S would make K the point at infinity.
            let point = match &exchange.blinding {
                AnyBlinding::P256(blinding) => write::<NistP256>(*blinding.mask()),
                AnyBlinding::P521(blinding) => write::<NistP521>(*blinding.mask()),
            };
            let point = point.unwrap();
            assert!(exchange.finish(&PublicKey { curve, point }).is_err());
        }
    }

    impl core::fmt::Debug for Exchange {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("Question(..)")
        }
    }
}
