//! Dropout of modalities: its rates, its rule, and what it is a function of.

use burn::tensor::Device;
use recoup::models::modality_dropout::ModalityDropout;
use recoup::models::{Context, Draw, LayoutBuilder, Mode, Params, matrix};
use recoup::training::step::floats;

use super::support::bits;
use crate::gradients::tensor;

const RATE: f32 = 0.4;
/// The second and the fourth stream read the same modality.
const MODALITIES: [usize; 5] = [3, 7, 0, 7, 5];
const BATCH: usize = 4000;

/// Presence per stream, `[R, B]`, after a step with these seeds.
fn drop(present: &[Vec<f32>], seeds: &[u64], step: u64, rate: f32) -> Vec<Vec<f32>> {
    let num_replicas = seeds.len();
    let batch = present[0].len() / num_replicas;
    let layout = LayoutBuilder::new();
    let dropout = ModalityDropout::new(&layout, &MODALITIES[..present.len()]);
    let empty = matrix(Vec::new(), num_replicas, &Device::flex());
    let params = Params::cut(&layout.finish(), &empty, &empty, true, None);
    let draws = seeds
        .iter()
        .map(|&seed| Draw {
            seed,
            step,
            dropout: 0.0,
        })
        .collect();
    let sample_mask = tensor(vec![1.0; num_replicas * batch], [num_replicas, batch]);
    let context = Context::new(&params, Mode::Train { draws, sample_mask });
    let present = present
        .iter()
        .map(|p| tensor(p.clone(), [num_replicas, batch, 1]).autodiff())
        .collect();
    let kept = dropout.forward(present, rate, &context);
    assert!(kept.iter().all(|kept| kept.dims() == [num_replicas, batch, 1]));
    kept.into_iter().map(floats).collect()
}

fn everything(samples: usize) -> Vec<Vec<f32>> {
    vec![vec![1.0; samples]; MODALITIES.len()]
}

/// Every third sample lacks the first stream, every seventh has only it, every eleventh has nothing.
fn some(samples: usize) -> Vec<Vec<f32>> {
    let present = |stream: usize, sample: usize| match sample {
        _ if sample.is_multiple_of(11) => false,
        _ if sample.is_multiple_of(7) => stream == 0,
        _ => stream != 0 || !sample.is_multiple_of(3),
    };
    (0..MODALITIES.len())
        .map(|m| (0..samples).map(|sample| f32::from(present(m, sample))).collect())
        .collect()
}

#[test]
fn each_modality_is_dropped_at_the_rate_and_never_all() {
    let kept = drop(&everything(BATCH), &[1], 0, RATE);
    assert_eq!(kept[1], kept[3]);
    let num_modalities = 4;
    let expected = 1.0 - RATE + RATE.powi(num_modalities) / num_modalities as f32;
    for kept in &kept {
        assert!(kept.iter().all(|&kept| kept == 0.0 || kept == 1.0));
        let share = kept.iter().sum::<f32>() / BATCH as f32;
        // Four standard errors of a share of 4000.
        let tolerance = 4.0 * (expected * (1.0 - expected) / BATCH as f32).sqrt();
        assert!(
            (share - expected).abs() < tolerance,
            "{share} kept, expected {expected}"
        );
    }
    for sample in 0..BATCH {
        assert!(
            kept.iter().any(|kept| kept[sample] == 1.0),
            "sample {sample} has lost everything"
        );
    }
    // Modalities are dropped independently: both of the first two stay in about 0.6 * 0.6 of the samples.
    let both = (0..BATCH)
        .filter(|&sample| kept[0][sample] * kept[1][sample] == 1.0)
        .count() as f32
        / BATCH as f32;
    assert!((both - 0.36).abs() < 0.03, "{both}");
}

#[test]
fn only_what_is_present_is_dropped_and_the_last_one_stays() {
    let present = some(BATCH);
    for rate in [RATE, 0.999] {
        let kept = drop(&present, &[1], 0, rate);
        for sample in 0..BATCH {
            let had: Vec<f32> = present.iter().map(|present| present[sample]).collect();
            let has: Vec<f32> = kept.iter().map(|kept| kept[sample]).collect();
            assert!(
                had.iter().zip(&has).all(|(had, has)| has <= had),
                "sample {sample}: {had:?} to {has:?}"
            );
            assert_eq!(
                had.contains(&1.0),
                has.contains(&1.0),
                "sample {sample}: {had:?} to {has:?}"
            );
            if had.iter().sum::<f32>() == 1.0 {
                assert_eq!(had, has);
            }
        }
        if rate > 0.9 {
            // One modality is left, which two streams may read.
            let left = (0..BATCH).map(|sample| kept[0][sample] + kept[1][sample] + kept[2][sample] + kept[4][sample]);
            assert!(left.filter(|&left| left > 1.0).count() < BATCH / 100);
        }
    }
}

#[test]
fn draws_belong_to_the_seed_the_step_and_the_sample() {
    let present = some(5 * 64);
    let together = drop(&present, &[1, 2, 3, 2, 5], 9, RATE);
    assert_eq!(together, drop(&present, &[1, 2, 3, 2, 5], 9, RATE));
    assert_ne!(together, drop(&present, &[1, 2, 3, 2, 5], 10, RATE));
    for (replica, seed) in [1, 2, 3, 2, 5].into_iter().enumerate() {
        let own = |all: &[Vec<f32>]| -> Vec<Vec<f32>> {
            all.iter()
                .map(|stream| stream[replica * 64..(replica + 1) * 64].to_vec())
                .collect()
        };
        let alone = drop(&own(&present), &[seed], 9, RATE);
        for (alone, together) in alone.iter().zip(own(&together)) {
            assert_eq!(bits(alone), bits(&together), "replica {replica}");
        }
    }
    // A longer batch begins with the same draws.
    let short = drop(&everything(16), &[4], 0, RATE);
    let long = drop(&everything(32), &[4], 0, RATE);
    assert!(short.iter().zip(&long).all(|(short, long)| short[..] == long[..16]));
}

#[test]
fn evaluation_and_rate_zero_change_nothing() {
    let present = some(40);
    assert_eq!(drop(&present, &[1], 0, 0.0), present);
    let layout = LayoutBuilder::new();
    let dropout = ModalityDropout::new(&layout, &MODALITIES);
    let empty = matrix(Vec::new(), 1, &Device::flex());
    let params = Params::cut(&layout.finish(), &empty, &empty, false, None);
    let context = Context::new(&params, Mode::Eval);
    let kept = dropout.forward(
        present.iter().map(|p| tensor(p.clone(), [1, 40, 1])).collect(),
        RATE,
        &context,
    );
    assert_eq!(kept.into_iter().map(floats).collect::<Vec<_>>(), present);
}
