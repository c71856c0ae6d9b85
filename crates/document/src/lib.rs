//! Command documents of Systems Manager: from a document's text and parameters to a [`Plan`], which is all that an
//! agent needs to know.
//!
//! **It does not know** instances, agents or stores. What a document refers to comes in as arguments.
//!
//! In reading order: [`plan`] (what is to be done on a host).

pub mod plan;

pub use plan::{
    Action, Download, Job, Judgement, JudgementRule, Limits, LocalDocument, NextStep, Plan, Platform, Program, Ranges,
    Retry, Script, Secret, Source, Step, Stream, Variable, Verdict,
};
