//! Sizes beyond which no layer is meant.

/// Largest width of a layer: channels, units, tokens. With it products of four sizes stay below 2^64.
pub const MAX_WIDTH: usize = 65_536;

/// Most layers that one number can ask for.
pub const MAX_LAYERS: usize = 256;
