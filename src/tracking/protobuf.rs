//! The protobuf wire format, as far as TensorBoard needs it.
//!
//! A message is a sequence of (key, value) with key = field number * 8 + wire type. Four types occur: varint (0), eight
//! bytes (1), length-delimited (2), four bytes (5), all little endian.
//! Source: protobuf.dev, "Encoding".

/// A message under construction. Fields are written in call order, zero values included: inside a `oneof` a zero must be
/// present to count.
#[derive(Debug, Default, Clone)]
pub(super) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `int32`, `int64`, `uint64`, `bool` and enums.
    pub(super) fn varint(mut self, field: u32, value: u64) -> Self {
        self.key(field, 0);
        push_varint(&mut self.bytes, value);
        self
    }

    pub(super) fn double(mut self, field: u32, value: f64) -> Self {
        self.key(field, 1);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub(super) fn float(mut self, field: u32, value: f32) -> Self {
        self.key(field, 5);
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// `string` and `bytes`.
    pub(super) fn bytes(mut self, field: u32, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.key(field, 2);
        push_varint(&mut self.bytes, value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    pub(super) fn message(self, field: u32, value: &Message) -> Self {
        self.bytes(field, &value.bytes)
    }

    /// One field per item: a `repeated` message, or a `map` whose entries are messages {1 key, 2 value}.
    pub(super) fn repeated(self, field: u32, values: impl IntoIterator<Item = Message>) -> Self {
        values
            .into_iter()
            .fold(self, |message, value| message.message(field, &value))
    }

    fn key(&mut self, field: u32, wire_type: u64) {
        push_varint(&mut self.bytes, u64::from(field) << 3 | wire_type);
    }
}

/// Seven bits per byte, lowest first; the top bit says that more follow.
fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
