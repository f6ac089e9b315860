fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| format!("c{class}")).collect()
}
