//! The words every crate shares: JSON, instants, identifiers, ARNs, limits.
//!
//! Nothing else lives here; a type used by one crate belongs to that crate.
//!
//! **Invariant:** everything here is a plain value; a clone of a [`Json`] is a pointer copy.
//!
//! **It does not know** what a state machine, an agent or a store is, and it never reads the clock.
//!
//! In reading order: [`json`] (values that are cheap to share), [`jackson`] (why a text is not JSON, in
//! the words that AWS uses), [`secret`] (texts that are not printed), [`time`], [`id`], [`arn`], [`limits`].

pub mod json;
pub mod jackson;
pub mod secret;
pub mod time;
pub mod id;
pub mod arn;
pub mod limits;

pub use arn::Arn;
pub use id::{AccountId, Caller, Id, RegionName};
pub use json::{Json, Number, Object};
pub use secret::Secret;
pub use time::Timestamp;
