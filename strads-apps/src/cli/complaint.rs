//! Wrong use as a person wants to read it: what, what was probably meant, and where to look.
//!
//! clap knows what is wrong, and tells it in a paragraph for each; here it is at most three lines.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::nearest;

/// What to say about `error`, which `command` (such as `strads lasso`) met.
pub fn complaint(error: &clap::Error, command: &str) -> String {
    let rendered = error.render().to_string();
    let told = rendered.lines().map(str::trim).take_while(|line| {
        !line.starts_with("Usage:") && !line.starts_with("For more information")
    });
    let (mut what, mut tips) = (Vec::new(), Vec::new());
    for line in told.filter(|line| !line.is_empty()) {
        match line.strip_prefix("tip: ") {
            Some(tip) => tips.push(tip.to_owned()),
            None => what.push(line),
        }
    }
    let what = what.join(" ");
    tips.extend(meant(error));
    let mut lines = vec![what.strip_prefix("error: ").unwrap_or(&what).to_owned()];
    // The likeliest of several is first.
    lines.extend(tips.into_iter().next());
    lines.push(format!("{command} --help shows an example and all options"));
    lines.join("\n")
}

/// The value that was probably meant, where the message lists those that there are.
fn meant(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else {
        return None;
    };
    let source = std::error::Error::source(error)?.to_string();
    let list = source.strip_prefix("expected ")?.replace(" or ", ", ");
    let known = list
        .contains(", ")
        .then(|| nearest::word(value, list.split(", ")))??;
    Some(format!("a similar value exists: '{known}'"))
}
