//! Scales of stroke rehabilitation: what they range over, which way is better, and changes that matter.
//!
//! Ranges and parts are those of the instruments' forms. Each [`Mcid`] names its study; where a study gives a range,
//! both ends stand in the list. None of them is a default: which change counts as success is the experiment's decision.

use serde::{Deserialize, Serialize};

/// An instrument, or a part of one that is reported by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Fugl-Meyer Assessment, all domains.
    FuglMeyer,
    /// Fugl-Meyer, motor domain of arm and leg.
    FuglMeyerMotor,
    /// Fugl-Meyer, motor domain of the arm.
    FuglMeyerUpper,
    /// Fugl-Meyer, motor domain of the leg.
    FuglMeyerLower,
    /// Barthel Index on the form of 0 to 100.
    Barthel,
    /// Barthel Index on the form of 0 to 20: a fifth of the other.
    #[serde(rename = "barthel-20")]
    Barthel20,
    /// NIH Stroke Scale.
    Nihss,
    /// Modified Rankin Scale.
    ModifiedRankin,
    /// Stroke-Specific Quality of Life, 49 items of 1 to 5.
    SsQol,
    /// Stroke-Specific Quality of Life, domain of mobility.
    SsQolMobility,
    /// Stroke-Specific Quality of Life, domain of self-care.
    SsQolSelfCare,
    /// Stroke-Specific Quality of Life, domain of upper-extremity function.
    SsQolUpper,
    /// A domain of the Stroke Impact Scale 3.0, or its recovery scale, transformed to 0 to 100.
    StrokeImpact,
    /// EQ-5D index. Value sets differ by country; all are at most 1, and none falls below -1.
    #[serde(rename = "eq-5d-index")]
    Eq5dIndex,
    /// EQ visual analogue scale.
    #[serde(rename = "eq-5d-vas")]
    Eq5dVas,
    /// Berg Balance Scale, 14 items of 0 to 4.
    BergBalance,
    /// Six-minute walk, metres.
    #[serde(rename = "walk-6min")]
    Walk6Min,
    /// Ten-metre walk, comfortable speed in metres per second.
    #[serde(rename = "walk-10m")]
    Walk10M,
}

/// A part of a scale: its range is 0, or its number of items, to `most`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalePart {
    /// Name.
    pub name: &'static str,
    /// Smallest score.
    pub least: f64,
    /// Largest score.
    pub most: f64,
}

/// A published minimal clinically important difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mcid {
    /// Name in configurations.
    pub name: &'static str,
    /// Size of the change, in points of the scale.
    pub value: f64,
    /// Time after stroke, and what the change was anchored to.
    pub phase: &'static str,
    /// Where it is published.
    pub source: &'static str,
}

const ARYA: &str = "Arya et al. 2011, doi 10.1310/tsr18s01-599";
const ACUTE_2023: &str = "doi 10.1177/15459683231186985 (2023); minimal detectable change 6.82";
const PAGE: &str = "Page et al. 2012; not verified against the paper";
const HSIEH: &str = "Hsieh et al. 2007, doi 10.1177/1545968306294729";
const LIN: &str = "Lin et al. 2011, PMC3034658";
const EQ_PREPRINT: &str = "preprint doi 10.21203/rs.3.rs-7989766/v1, group level";

const fn mcid(name: &'static str, value: f64, phase: &'static str, source: &'static str) -> Mcid {
    Mcid {
        name,
        value,
        phase,
        source,
    }
}

const fn part(name: &'static str, least: f64, most: f64) -> ScalePart {
    ScalePart { name, least, most }
}

const FUGL_MEYER_UPPER_MCIDS: &[Mcid] = &[
    mcid("arya-2011-low", 9.0, "subacute, anchored to mRS", ARYA),
    mcid("arya-2011-high", 10.0, "subacute, anchored to perceived change", ARYA),
    mcid(
        "acute-2023-low",
        9.0,
        "weeks 1 to 6, moderate to severe, anchored to mRS",
        ACUTE_2023,
    ),
    mcid(
        "acute-2023-mid",
        12.0,
        "weeks 1 to 6, anchored to perceived recovery",
        ACUTE_2023,
    ),
    mcid(
        "acute-2023-high",
        13.0,
        "weeks 1 to 6, anchored to perceived weakness",
        ACUTE_2023,
    ),
    mcid("page-2012", 5.25, "chronic", PAGE),
];
const BARTHEL_MCIDS: &[Mcid] = &[mcid(
    "hsieh-2007",
    9.25,
    "five times the 1.85 of the form of 0 to 20",
    HSIEH,
)];
const BARTHEL_20_MCIDS: &[Mcid] = &[mcid("hsieh-2007", 1.85, "as published", HSIEH)];
const MOBILITY_MCIDS: &[Mcid] = &[
    mcid("lin-2011-low", 1.5, "rehabilitation", LIN),
    mcid("lin-2011-high", 2.4, "rehabilitation", LIN),
];
const SELF_CARE_MCIDS: &[Mcid] = &[
    mcid("lin-2011-low", 1.2, "rehabilitation", LIN),
    mcid("lin-2011-high", 1.9, "rehabilitation", LIN),
];
const UPPER_MCIDS: &[Mcid] = &[
    mcid("lin-2011-low", 1.2, "rehabilitation", LIN),
    mcid("lin-2011-high", 1.8, "rehabilitation", LIN),
];
const EQ_5D_MCIDS: &[Mcid] = &[
    mcid("discharge", 0.19, "from admission to discharge", EQ_PREPRINT),
    mcid("month-3", 0.14, "from discharge to month 3", EQ_PREPRINT),
    mcid("year-1", 0.11, "from month 3 to a year", EQ_PREPRINT),
];

const FUGL_MEYER: &[ScalePart] = &[
    part("upper", 0.0, 66.0),
    part("lower", 0.0, 34.0),
    part("sensation", 0.0, 24.0),
    part("balance", 0.0, 14.0),
    part("range-of-motion", 0.0, 44.0),
    part("pain", 0.0, 44.0),
];

const BARTHEL: &[ScalePart] = &[
    part("feeding", 0.0, 10.0),
    part("bathing", 0.0, 5.0),
    part("grooming", 0.0, 5.0),
    part("dressing", 0.0, 10.0),
    part("bowels", 0.0, 10.0),
    part("bladder", 0.0, 10.0),
    part("toilet", 0.0, 10.0),
    part("transfers", 0.0, 15.0),
    part("mobility", 0.0, 15.0),
    part("stairs", 0.0, 10.0),
];

const NIHSS: &[ScalePart] = &[
    part("consciousness", 0.0, 3.0),
    part("questions", 0.0, 2.0),
    part("commands", 0.0, 2.0),
    part("gaze", 0.0, 2.0),
    part("visual", 0.0, 3.0),
    part("face", 0.0, 3.0),
    part("arm-left", 0.0, 4.0),
    part("arm-right", 0.0, 4.0),
    part("leg-left", 0.0, 4.0),
    part("leg-right", 0.0, 4.0),
    part("ataxia", 0.0, 2.0),
    part("sensory", 0.0, 2.0),
    part("language", 0.0, 3.0),
    part("dysarthria", 0.0, 2.0),
    part("neglect", 0.0, 2.0),
];

const SS_QOL: &[ScalePart] = &[
    part("energy", 3.0, 15.0),
    part("family-roles", 3.0, 15.0),
    part("language", 5.0, 25.0),
    part("mobility", 6.0, 30.0),
    part("mood", 5.0, 25.0),
    part("personality", 3.0, 15.0),
    part("self-care", 5.0, 25.0),
    part("social-roles", 5.0, 25.0),
    part("thinking", 3.0, 15.0),
    part("upper-extremity", 5.0, 25.0),
    part("vision", 3.0, 15.0),
    part("work", 3.0, 15.0),
];

impl Scale {
    /// All scales.
    pub const ALL: [Self; 18] = [
        Self::FuglMeyer,
        Self::FuglMeyerMotor,
        Self::FuglMeyerUpper,
        Self::FuglMeyerLower,
        Self::Barthel,
        Self::Barthel20,
        Self::Nihss,
        Self::ModifiedRankin,
        Self::SsQol,
        Self::SsQolMobility,
        Self::SsQolSelfCare,
        Self::SsQolUpper,
        Self::StrokeImpact,
        Self::Eq5dIndex,
        Self::Eq5dVas,
        Self::BergBalance,
        Self::Walk6Min,
        Self::Walk10M,
    ];

    /// Smallest and largest score.
    pub fn range(self) -> (f64, f64) {
        match self {
            Self::FuglMeyer => (0.0, 226.0),
            Self::FuglMeyerMotor | Self::Barthel | Self::StrokeImpact | Self::Eq5dVas => (0.0, 100.0),
            Self::FuglMeyerUpper => (0.0, 66.0),
            Self::FuglMeyerLower => (0.0, 34.0),
            Self::Barthel20 => (0.0, 20.0),
            Self::Nihss => (0.0, 42.0),
            Self::ModifiedRankin => (0.0, 6.0),
            Self::SsQol => (49.0, 245.0),
            Self::SsQolMobility => (6.0, 30.0),
            Self::SsQolSelfCare | Self::SsQolUpper => (5.0, 25.0),
            Self::Eq5dIndex => (-1.0, 1.0),
            Self::BergBalance => (0.0, 56.0),
            Self::Walk6Min | Self::Walk10M => (0.0, f64::INFINITY),
        }
    }

    /// Step of the scores; `None` where any number in the range is one.
    pub fn step(self) -> Option<f64> {
        match self {
            Self::Barthel => Some(5.0),
            Self::StrokeImpact | Self::Eq5dIndex | Self::Eq5dVas | Self::Walk6Min | Self::Walk10M => None,
            _ => Some(1.0),
        }
    }

    /// Unit of a score.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Walk6Min => "m",
            Self::Walk10M => "m/s",
            Self::Eq5dIndex => "1",
            _ => "point",
        }
    }

    /// Whether a higher score is a better state.
    pub fn higher_is_better(self) -> bool {
        !matches!(self, Self::Nihss | Self::ModifiedRankin)
    }

    /// Parts that the score is the sum of; empty where it is not split here.
    pub fn parts(self) -> &'static [ScalePart] {
        match self {
            Self::FuglMeyer => FUGL_MEYER,
            Self::FuglMeyerMotor => FUGL_MEYER.split_at(2).0,
            Self::Barthel => BARTHEL,
            Self::Nihss => NIHSS,
            Self::SsQol => SS_QOL,
            _ => &[],
        }
    }

    /// Published changes that matter.
    pub fn mcids(self) -> &'static [Mcid] {
        match self {
            Self::FuglMeyerUpper => FUGL_MEYER_UPPER_MCIDS,
            Self::Barthel => BARTHEL_MCIDS,
            Self::Barthel20 => BARTHEL_20_MCIDS,
            Self::SsQolMobility => MOBILITY_MCIDS,
            Self::SsQolSelfCare => SELF_CARE_MCIDS,
            Self::SsQolUpper => UPPER_MCIDS,
            Self::Eq5dIndex => EQ_5D_MCIDS,
            _ => &[],
        }
    }

    /// Checks one score.
    ///
    /// # Errors
    /// Allowed scores in words, such as `0 to 100 in steps of 5`.
    pub fn check(self, score: f64) -> Result<(), String> {
        let (least, most) = self.range();
        let in_step = self.step().is_none_or(|step| score % step == 0.0);
        match (least..=most).contains(&score) && score.is_finite() && in_step {
            true => Ok(()),
            false if most.is_infinite() => Err(format!("a finite number from {least}")),
            false => {
                let steps = self.step().map_or(String::new(), |step| format!(" in steps of {step}"));
                Err(format!("{least} to {most}{steps}"))
            }
        }
    }

    /// The sum of all parts, each given once by its name, in any order.
    ///
    /// # Errors
    /// Names a part that is unknown, twice, absent or out of its range.
    pub fn total(self, parts: &[(&str, f64)]) -> Result<f64, String> {
        if let Some((name, _)) = parts
            .iter()
            .find(|(name, _)| !self.parts().iter().any(|part| part.name == *name))
        {
            let known: Vec<_> = self.parts().iter().map(|part| part.name).collect();
            return Err(format!("part `{name}`, expected one of {}", known.join(", ")));
        }
        let mut total = 0.0;
        for part in self.parts() {
            let mut given = parts.iter().filter(|(name, _)| *name == part.name);
            let (Some(&(name, score)), None) = (given.next(), given.next()) else {
                return Err(format!("part `{}` absent or twice, expected once", part.name));
            };
            let step = self.step().unwrap_or(1.0);
            if !(part.least..=part.most).contains(&score) || score % step != 0.0 {
                let (least, most) = (part.least, part.most);
                return Err(format!(
                    "part `{name}` is {score}, expected {least} to {most} in steps of {step}"
                ));
            }
            total += score;
        }
        match parts.is_empty() {
            true => Err("no parts".into()),
            false => Ok(total),
        }
    }
}
