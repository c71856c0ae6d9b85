//! TBD
pub mod agent;
