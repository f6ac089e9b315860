//! "Did you mean": the known name that is closest to a wrong one.

/// A hint that names the closest of `known`, or all of them when none is close; `show` puts marks around a name.
pub fn did_you_mean<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
    show: impl Fn(&str) -> String,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(wrong, known.iter().copied()) {
        Some(name) => format!("did you mean {}?", show(name)),
        None if known.is_empty() => "there is none".into(),
        None => format!(
            "there is {}",
            known.iter().map(|name| show(name)).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The closest name: equal but for case, blanks and punctuation, or at most a third of its letters (two at least) away.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong_letters = letters(wrong);
    // Nobody mistypes a whole sentence, and the distance takes the product of the lengths.
    let known = known
        .into_iter()
        .filter(|name| name.len() <= MAX_LEN && wrong.len() <= MAX_LEN);
    let distances = known.map(|name| (distance(&wrong_letters, &letters(name)), name));
    // The first of equals: `min_by_key` keeps it.
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    let longest = wrong_letters.len().max(name.chars().count());
    (distance <= (longest / 3).max(2).min(longest.saturating_sub(1))).then_some(name)
}

const MAX_LEN: usize = 100;

fn letters(name: &str) -> Vec<char> {
    name.chars()
        .filter(|letter| letter.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Levenshtein's distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (line, letter) in a.iter().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (other, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let cost = (diagonal + usize::from(letter != other)).min(left + 1).min(*above + 1);
            diagonal = *above;
            *above = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}
