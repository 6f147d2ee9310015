//! The demo's report: one HTML file, of the same figures as the reports of its runs, to which it
//! leads.

use std::io::{self, Write};

use super::Played;
use crate::report::figure::escape;
use crate::report::lines::{Lines, Series, Up};
use crate::report::page;

/// Writes the report of `played`.
pub fn write(played: &[Played], into: &mut impl Write) -> io::Result<()> {
    write!(into, "{}", page::head("strads demo"))?;
    writeln!(
        into,
        "<h1>strads demo</h1>\n<p class=\"soft\">Data made on the spot, a model of each kind, and \
         what it found. Data, models and a report of each run are beside this file; the commands \
         below, given there, make them again.</p>"
    )?;
    for part in played {
        write_part(part, into)?;
    }
    let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    writeln!(
        into,
        "<p class=\"soft\">strads {version}, {system} {}, {cores} cores</p>",
        std::env::consts::ARCH
    )?;
    into.write_all(page::TAIL.as_bytes())
}

fn write_part(part: &Played, into: &mut impl Write) -> io::Result<()> {
    let Played {
        story,
        commands,
        curve,
        found,
        report,
    } = part;
    let lines = Lines {
        title: story.axis.to_owned(),
        up: String::new(),
        scale: Up::Around,
        along: "seconds of training".to_owned(),
        series: vec![Series {
            name: story.axis.to_owned(),
            points: curve.clone(),
        }],
        level: story.ideal.map(|(level, name)| (level, name.to_owned())),
        note: String::new(),
    };
    writeln!(
        into,
        "<section>\n<h2>{}</h2>\n<p>{}</p>\n<pre>{}</pre>",
        escape(story.title),
        escape(story.about),
        escape(&commands.join("\n"))
    )?;
    if let Some(figure) = lines.figure() {
        into.write_all(figure.html(true).as_bytes())?;
    }
    writeln!(into, "<ul>")?;
    for line in found {
        writeln!(into, "<li>{}</li>", escape(line))?;
    }
    writeln!(
        into,
        "<li><a href=\"{report}\">The report of this run</a>: convergence, schedule, load</li>\n\
         </ul>\n</section>",
        report = escape(report)
    )
}
