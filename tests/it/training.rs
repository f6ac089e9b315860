//! Training through the public API: the replica law, resuming, learning.

mod law;
mod learning;
mod support;
