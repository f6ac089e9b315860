use recoup::launch::DeviceChoice;
use recoup::launch::device::compiled;
use serde_json::json;

/// Every backend: whether it is compiled in, and what it finds.
pub fn run(json: bool) -> super::Result<()> {
    let choices = [
        DeviceChoice::Cuda,
        DeviceChoice::Vulkan,
        DeviceChoice::Wgpu,
        DeviceChoice::Cpu,
    ];
    let found = choices.map(|choice| {
        let state = if compiled().contains(&choice.name()) {
            choice
                .open()
                .map(|device| format!("{device:?}"))
                .map_err(|error| error.to_string())
        } else {
            Err(format!(
                "not compiled in: cargo build --release --features {}",
                choice.name()
            ))
        };
        (choice.name(), state)
    });
    if json {
        let list: Vec<_> = found
            .iter()
            .map(|(name, state)| json!({"name": name, "available": state.is_ok(), "detail": state.as_ref().unwrap_or_else(|e| e)}))
            .collect();
        return super::print_json(&list);
    }
    let lines: String = found
        .iter()
        .map(|(name, state)| {
            let (mark, detail) = match state {
                Ok(detail) => ("yes", detail),
                Err(detail) => ("no", detail),
            };
            format!("{name:<8} {mark:<4} {}\n", detail.lines().next().unwrap_or_default())
        })
        .collect();
    super::print(&lines)
}
