//! What a command was told, and by whom: for reports and for `--print-config`.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::config::Told;
use super::{innermost, named};
use crate::report::{By, Setting, Settings};

/// Options that say how to run and not what.
const ASIDE: [&str; 4] = ["help", "version", "config", "print_config"];

/// Everything that was told, in the order of the help.
pub fn settings(root: &Command, matches: &ArgMatches, told: &Told) -> Settings {
    let (inner, path) = innermost(matches);
    let (command, _) = named(root, path.iter().copied());
    let options = command.get_arguments().filter_map(|arg| {
        let by = match inner.try_contains_id(arg.get_id().as_str()) {
            Ok(true) => inner.value_source(arg.get_id().as_str())?,
            _ => return None,
        };
        Some(Setting {
            name: name(arg),
            value: value(arg, inner)?,
            by: match by {
                ValueSource::DefaultValue => By::Default,
                _ if told.by_file.contains(&name(arg)) => By::File,
                _ => By::CommandLine,
            },
        })
    });
    Settings {
        line: told.line.clone(),
        app: path.join(" "),
        options: options
            .filter(|setting| !ASIDE.contains(&setting.name.as_str()))
            .collect(),
    }
}

/// All options of the command as a file for `--config` has them; what nobody told, defaults too, as
/// remarks: some options may be given only beside others.
pub fn as_file(root: &Command, matches: &ArgMatches) -> String {
    let (inner, path) = innermost(matches);
    let (command, _) = named(root, path.iter().copied());
    let mut file = format!(
        "# strads {}: give this file with --config; what the command line says comes first\n",
        path.join(" ")
    );
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        if ASIDE.contains(&arg.get_id().as_str()) {
            continue;
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        file += &format!("\n# {}\n", help.replace('\n', "\n# "));
        let told = matches!(
            inner.try_contains_id(arg.get_id().as_str()),
            Ok(true) if inner.value_source(arg.get_id().as_str()) != Some(ValueSource::DefaultValue)
        );
        file += &match value(arg, inner) {
            Some(value) if told => format!("{} = {}\n", name(arg), literal(arg, &value)),
            Some(value) => format!("# {} = {}\n", name(arg), literal(arg, &value)),
            None => format!("# {} =\n", name(arg)),
        };
    }
    file
}

/// How an option is called in a file; inputs go by what they are called inside.
pub fn name(arg: &Arg) -> String {
    arg.get_long().unwrap_or(arg.get_id().as_str()).to_owned()
}

/// What an option is, or nothing.
fn value(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = arg.get_id().as_str();
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return Some(matches.get_flag(id).to_string());
    }
    let raw = matches.try_get_raw(id).ok().flatten()?;
    let values: Vec<_> = raw
        .map(|value| value.to_string_lossy().into_owned())
        .collect();
    Some(values.join(","))
}

/// `value` as TOML has it.
fn literal(arg: &Arg, value: &str) -> String {
    let flag = matches!(arg.get_action(), ArgAction::SetTrue);
    let number = value.parse::<f64>().is_ok_and(f64::is_finite)
        && toml::from_str::<toml::Table>(&format!("x = {value}")).is_ok();
    if flag || number {
        value.to_owned()
    } else {
        toml::Value::String(value.to_owned()).to_string()
    }
}
