//! Sums in eight lanes: a single running sum waits four cycles for each addition, and loses more digits.

/// `sum f(x)`.
pub fn sum(values: &[f64], f: impl Fn(f64) -> f64) -> f64 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += f(*x));
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane += f(*x));
    total(lanes)
}

/// `sum f(a, b)` over the shorter of two slices.
pub fn sum_pairs(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    let len = a.len().min(b.len());
    let ((a, last_a), (b, last_b)) = (a[..len].as_chunks::<8>(), b[..len].as_chunks::<8>());
    let mut lanes = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        lanes
            .iter_mut()
            .zip(a.iter().zip(b))
            .for_each(|(lane, (a, b))| *lane += f(*a, *b));
    }
    lanes
        .iter_mut()
        .zip(last_a.iter().zip(last_b))
        .for_each(|(lane, (a, b))| *lane += f(*a, *b));
    total(lanes)
}

/// `sum f(x[i], x[i + 1])`.
pub fn sum_neighbours(values: &[f64], f: impl Fn(f64, f64) -> f64) -> f64 {
    sum_pairs(values, values.get(1..).unwrap_or_default(), f)
}

fn total([a, b, c, d, e, f, g, h]: [f64; 8]) -> f64 {
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}
