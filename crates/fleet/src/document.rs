//! The document that everybody uses.

pub const RUN_SHELL_SCRIPT: &str = "AWS-RunShellScript";
