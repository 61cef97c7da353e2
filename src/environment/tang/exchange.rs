//! The exchange with a key server, as arithmetic (McCallum and Relyea, as
//! Tang has it). Pure but for the random numbers.
//!
//! The server has s and shows S = s·G. Enrolling draws c, keeps C = c·G and
//! the value of K = c·S, and forgets c. To have K again, x = C + e·G is sent
//! with a fresh e; the server answers y = s·x, and K = y - e·S. Neither the
//! server nor whoever listens learns K, and without s nobody has it.
//!
//! e·S needs no answer: it is computed before there is one. What is left to do with
//! an answer is a subtraction.

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

/// Not a point that an exchange can go on with: off the curve, the point at
/// infinity, or of another curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPoint;

/// What the value of a factor is made of K with.
const VALUE: &[u8] = b"stayput key server v1";

impl Curve {
    /// Bytes of a coordinate.
    pub fn coordinate(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P521 => 66,
        }
    }

    /// A point from its coordinates, each of the curve's length.
    pub(super) fn point(self, x: &[u8], y: &[u8]) -> Option<PointBytes> {
        if x.len() != self.coordinate() || y.len() != self.coordinate() {
            return None;
        }
        let mut point = PointBytes::new();
        point.push(4).ok()?;
        point.extend_from_slice(x).ok()?;
        point.extend_from_slice(y).ok()?;
        Some(point)
    }

    /// Both coordinates of a point.
    pub(super) fn coordinates(self, point: &[u8]) -> Option<(&[u8], &[u8])> {
        let (4, both) = point.split_first()? else {
            return None;
        };
        let length = self.coordinate();
        (both.len() == 2 * length).then(|| both.split_at(length))
    }

    /// # Errors
    /// [`BadPoint`].
    pub(super) fn check(self, point: &[u8]) -> Result<(), BadPoint> {
        match self {
            Self::P256 => read::<NistP256>(point).map(drop),
            Self::P521 => read::<NistP521>(point).map(drop),
        }
    }
}

fn read<C>(bytes: &[u8]) -> Result<AffinePoint<C>, BadPoint>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C>,
{
    // Only what is written without compression: it names both coordinates,
    // and the point at infinity has no such form.
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

/// 32 bytes made of K.
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

/// # Panics
/// If the kernel has no random bytes to give, as in `keys`.
fn random<C: CurveArithmetic>() -> Scalar<C> {
    let scalar = NonZeroScalar::<C>::try_generate_from_rng(&mut SysRng);
    Zeroizing::new(scalar.expect("the kernel gives random bytes"))
}

/// C and the value of K.
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

/// What hides K in an answer.
struct Blinding<C: CurveArithmetic> {
    e: Scalar<C>,
    server: AffinePoint<C>,
    /// e·S, once it was computed.
    mask: OnceCell<Zeroizing<ProjectivePoint<C>>>,
}

impl<C> Blinding<C>
where
    C: CurveArithmetic,
    FieldBytesSize<C>: ModulusSize,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
{
    /// A fresh one, and x.
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

    fn expect_answer(&self) -> bool {
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

/// Makes our side for a server's key: the point to keep, and the factor's
/// value, which the server will help to compute again.
///
/// # Errors
/// `BadPoint`: the server's key is not on its curve.
#[cfg(feature = "admin")]
pub fn enrol(exchange: &PublicKey) -> Result<(PointBytes, Secret32), BadPoint> {
    match exchange.curve {
        Curve::P256 => enrol_on::<NistP256>(&exchange.point),
        Curve::P521 => enrol_on::<NistP521>(&exchange.point),
    }
}

enum AnyBlinding {
    P256(Blinding<NistP256>),
    // Boxed: as large again as the other.
    P521(Box<Blinding<NistP521>>),
}

/// One question: what is sent, and what of it stays here, which is erased on
/// drop.
pub struct Question {
    /// The point that is sent. It tells nothing about the enrolled value.
    pub x: PointBytes,
    blinding: AnyBlinding,
}

impl Question {
    /// To the server with the key `exchange`, about the point that was kept when
    /// it was enrolled.
    ///
    /// # Errors
    /// [`BadPoint`]: what is stored is damaged.
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

    /// Computes what [`Question::finish`] needs beside the answer; false when that
    /// was done already.
    pub fn expect_answer(&self) -> bool {
        match &self.blinding {
            AnyBlinding::P256(blinding) => blinding.expect_answer(),
            AnyBlinding::P521(blinding) => blinding.expect_answer(),
        }
    }

    /// The factor's value from what the server answered. Whether it is the
    /// right one only a row of the vault can tell.
    ///
    /// # Errors
    /// [`BadPoint`].
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
    fn the_server_helps_to_the_same_value_again_and_never_sees_the_same_point_twice() {
        for curve in CURVES {
            let peer = Peer::new(curve);
            let (ours, value) = enrol(&peer.key()).unwrap();
            let mut sent = std::vec::Vec::new();
            for ahead in [true, false, true] {
                let question = Question::new(&peer.key(), &ours).unwrap();
                assert!(!ahead || question.expect_answer());
                assert!(!ahead || !question.expect_answer());
                let again = question.finish(&peer.answer(&question.x)).unwrap();
                assert_eq!(again.expose(), value.expose());
                assert!(!sent.contains(&question.x) && question.x != ours);
                sent.push(question.x.clone());
            }
        }
    }

    #[test]
    fn another_server_and_another_enrolment_give_other_values() {
        for curve in CURVES {
            let (peer, other) = (Peer::new(curve), Peer::new(curve));
            let (ours, value) = enrol(&peer.key()).unwrap();
            let question = Question::new(&peer.key(), &ours).unwrap();
            let wrong = question.finish(&other.answer(&question.x)).unwrap();
            assert_ne!(wrong.expose(), value.expose());
            assert_ne!(enrol(&peer.key()).unwrap().1.expose(), value.expose());
        }
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        for curve in CURVES {
            let peer = Peer::new(curve);
            let (ours, _) = enrol(&peer.key()).unwrap();
            let question = Question::new(&peer.key(), &ours).unwrap();
            let right = peer.answer(&question.x);
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
                assert_eq!(question.finish(&answer).err(), Some(BadPoint));
                assert_eq!(enrol(&answer).err(), Some(BadPoint));
                assert_eq!(Question::new(&answer, &ours).err(), Some(BadPoint));
                assert_eq!(Question::new(&peer.key(), wrong).err(), Some(BadPoint));
            }
            let of_other = Peer::new(other).key();
            assert!(question.finish(&of_other).is_err());
            // y = e·S would make K the point at infinity.
            let point = match &question.blinding {
                AnyBlinding::P256(blinding) => write::<NistP256>(*blinding.mask()),
                AnyBlinding::P521(blinding) => write::<NistP521>(*blinding.mask()),
            };
            let point = point.unwrap();
            assert!(question.finish(&PublicKey { curve, point }).is_err());
        }
    }

    impl core::fmt::Debug for Question {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("Question(..)")
        }
    }
}
