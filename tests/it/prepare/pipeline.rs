//! Pipelines that distort nothing.

use crate::common::workspace::Workspace;

#[test]
fn copies_that_nothing_distorts_are_named() {
    const SAME: &str = "all copies of an image are the same, as the pipeline distorts none";
    let workspace = Workspace::new();
    let never = "[[operation]]\nname = \"flip_left_right\"\nprobability = 0.0\n";
    for (name, pipeline, copies, same) in [
        ("empty", "", 2, true),
        ("never", never, 2, true),
        ("single", "", 1, false),
        ("some", &never.replace("0.0", "0.5"), 2, false),
    ] {
        workspace.write("pipeline.toml", pipeline);
        let options = format!("--size 8 --pipeline pipeline.toml --copies {copies} --format virtual");
        let text = workspace.gal_bench(&format!("prepare --prepared {name} {options}")).succeeds().stdout;
        assert_eq!(text.contains(SAME), same, "{name}: {text}");
    }
}
