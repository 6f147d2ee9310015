//! The demo's report: one HTML file that needs no network, light or dark as the reader likes.

use std::io::{self, Write};

use super::Played;
use super::chart::Chart;

const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>strads demo</title>
<style>
:root { color-scheme: light dark; --page: #fbfaf8; --ink: #23211e; --soft: #6d6860; --line: #e2ded7; --curve: #1d6fb8; --ideal: #b4572a; --code: #f1eee9; }
@media (prefers-color-scheme: dark) {
  :root { --page: #181a1c; --ink: #e6e3de; --soft: #9c978f; --line: #34373a; --curve: #6cb4f0; --ideal: #e39a6c; --code: #222527; }
}
@media print { :root { --page: #fff; --ink: #000; --soft: #444; --line: #ccc; --curve: #1d6fb8; --ideal: #b4572a; --code: #f4f4f4; } section { break-inside: avoid; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 46rem; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .25rem; }
p { margin: .5rem 0; }
.soft { color: var(--soft); }
pre { background: var(--code); padding: .7rem .9rem; border-radius: 6px; font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; margin: .75rem 0; }
svg { display: block; width: 100%; height: auto; margin: .75rem 0; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg .axis { fill: var(--ink); }
svg .note { fill: var(--ideal); }
.grid { stroke: var(--line); }
.ideal { stroke: var(--ideal); stroke-dasharray: 5 4; }
.curve { fill: none; stroke: var(--curve); stroke-width: 2; stroke-linejoin: round; }
.dot { fill: var(--curve); }
</style>
</head>
<body>
<h1>strads demo</h1>
<p class="soft">Data made on the spot, a model of each kind, and what it found. Data and models are beside this file; the commands below, given there, make them again.</p>
"#;

/// Writes the report of `played`.
pub fn write(played: &[Played], into: &mut impl Write) -> io::Result<()> {
    into.write_all(HEAD.as_bytes())?;
    for Played {
        story,
        commands,
        curve,
        found,
    } in played
    {
        let chart = Chart {
            points: curve,
            axis: story.axis,
            ideal: story.ideal,
        };
        writeln!(
            into,
            "<section>\n<h2>{}</h2>\n<p>{}</p>",
            escape(story.title),
            escape(story.about)
        )?;
        writeln!(
            into,
            "<pre>{}</pre>\n{}\n<ul>",
            escape(&commands.join("\n")),
            chart.svg()
        )?;
        for line in found {
            writeln!(into, "<li>{}</li>", escape(line))?;
        }
        writeln!(into, "</ul>\n</section>")?;
    }
    let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(
        into,
        "<p class=\"soft\">strads {version}, {system} {}, {cores} cores</p>\n</body>\n</html>",
        std::env::consts::ARCH
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
