//! The store on a real disk: what every store must do, and what only this one can get wrong.

mod common;

mod conformance;
mod cost;
mod crash;
mod damage;
mod directory;
mod full;
