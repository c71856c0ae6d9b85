//! What is doubtful.
