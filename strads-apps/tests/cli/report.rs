//! `--report` as a browser shows it: figures with curves and cells in them, text that neither
//! overlaps nor leaves the page, at the width of a desk and of a telephone, for short runs and long.
//!
//! Needs Chromium (Debian's package `chromium`). Without it the test says that it is skipped; where
//! `CI` is set, it fails instead.

use std::process::Command;

use serde_json::Value;

use crate::runner::Place;

/// Of a desk and of a telephone.
const WIDTHS: [u32; 2] = [1280, 390];

/// Runs in the report: looks at what is drawn, and tells the page around it.
const LOOK: &str = r#"<script>
addEventListener("load", () => setTimeout(() => {
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const found = { figures: [], faults: [] };
  for (const figure of all("figure")) {
    const title = figure.querySelector("b").textContent;
    const texts = all(".left, .below, .up, .along, .note, figcaption > b, .legend > span", figure)
      .map(node => [node.textContent, node.getBoundingClientRect()])
      .filter(([text, box]) => text && box.width);
    texts.forEach(([text, a], at) => texts.slice(at + 1).forEach(([other, b]) => {
      const over = Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2;
      if (over) found.faults.push(`${title}: "${text}" overlaps "${other}"`);
    }));
    for (const [text, box] of texts)
      if (box.left < -1 || box.right > innerWidth + 1) found.faults.push(`${title}: "${text}" leaves the page`);
    const curves = all(".curve", figure).map(curve => curve.points.numberOfItems);
    const cells = all(".cell", figure).reduce((sum, path) => sum + path.getAttribute("d").split("z").length - 1, 0);
    const colours = all(".cell, .curve", figure).map(node => getComputedStyle(node)[node.tagName == "path" ? "fill" : "stroke"]);
    if (colours.includes("none") || !figure.querySelector(".left, table")) found.faults.push(`${title}: no colour or no axis`);
    found.figures.push({ title, curves, cells });
  }
  if (document.documentElement.scrollWidth > innerWidth) found.faults.push("the page is wider than the window");
  found.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  found.background = getComputedStyle(document.body).backgroundColor;
  parent.postMessage(JSON.stringify(found), "*");
}, 50));
</script>"#;

/// A page around a report that is as wide as asked, and says what it was told.
fn around(width: u32) -> String {
    format!(
        "<!DOCTYPE html><body style=\"margin:0\"><pre id=\"found\"></pre>\
         <script>addEventListener('message', e => document.getElementById('found').textContent = e.data)</script>\
         <iframe src=\"looked-at.html\" style=\"border:0;width:{width}px;height:800px\"></iframe></body>"
    )
}

fn browser() -> Option<String> {
    let known = ["chromium", "chromium-browser", "google-chrome"];
    let works = |name: &&&str| Command::new(**name).arg("--version").output().is_ok();
    known.iter().find(works).map(|name| (*name).to_owned())
}

/// What a browser finds in `report` at a width.
fn look(browser: &str, place: &Place, report: &str, width: u32, dark: bool) -> Value {
    let page = String::from_utf8(place.read(report)).unwrap();
    place.write(
        "looked-at.html",
        page.replace("</body>", &format!("{LOOK}</body>")),
    );
    place.write("around.html", around(width));
    let mut command = Command::new(browser);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--window-size=1400,900",
        "--virtual-time-budget=3000",
        "--dump-dom",
    ]);
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    command.arg(format!(
        "--user-data-dir={}",
        place.path("profile").display()
    ));
    command.arg(format!("file://{}", place.path("around.html").display()));
    let output = command.output().unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).replace("&amp;", "&");
    let found = dom
        .split_once("<pre id=\"found\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"));
    let found = found.map_or("", |(found, _)| found);
    serde_json::from_str(found).unwrap_or_else(|error| {
        panic!(
            "{report}: {error}: {dom} {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

fn figure<'a>(found: &'a Value, title: &str) -> &'a Value {
    let figures = found["figures"].as_array().unwrap();
    let named = figures.iter().find(|figure| figure["title"] == title);
    named.unwrap_or_else(|| panic!("no figure {title}: {found}"))
}

#[test]
fn reports_are_drawn_whole_at_every_width() {
    let Some(browser) = browser() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "install Debian's package chromium"
        );
        eprintln!("skipped: there is no Chromium to open a report with");
        return;
    };
    let place = Place::new();
    for command in [
        "gen lasso --rows 80 --columns 300 --support 8 --out x.svm",
        "gen lda --documents 30 --words 60 --topics 3 --length 20 --out docword.bow",
        "gen mf --users 120 --items 100 --ratings 2400 --out ratings.txt",
        "gen mlr --rows 200 --columns 20 --classes 3 --out classes.npz",
        "mlr classes.npz --workers 3 --solver sgd --staleness 2 --epochs 4 --report mlr.html",
        "lasso x.svm --path 20 --report lasso.html",
        "mf ratings.txt --rank 4 --test-fraction 0.1 --report mf.html",
        "lda docword.bow --topics 3 --sweeps 3 --every 1 --workers 1 --report short.html",
        "lda docword.bow --topics 3 --sweeps 3000 --every 100 --workers 10 --report long.html",
    ] {
        place.strads(command).fine();
    }
    for (report, converges) in [
        ("lasso.html", "Features selected"),
        ("mf.html", "Error"),
        ("short.html", "Log-likelihood"),
        ("long.html", "Log-likelihood"),
    ] {
        for width in WIDTHS {
            let found = look(&browser, &place, report, width, false);
            assert_eq!(
                found["faults"],
                serde_json::json!([]),
                "{report} at {width}"
            );
            let curves = figure(&found, converges)["curves"].as_array().unwrap();
            assert!(
                curves.iter().all(|points| points.as_u64().unwrap() >= 3),
                "{report}: {curves:?}"
            );
            let cells = |title| figure(&found, title)["cells"].as_u64().unwrap();
            assert!(cells("Who updated what when") >= 3, "{report}");
            assert!(cells("Who was busy when") >= 3, "{report}");
            assert!(cells("Load by worker") >= 1, "{report}");
        }
    }
    for width in WIDTHS {
        let found = look(&browser, &place, "mlr.html", width, false);
        assert_eq!(found["faults"], serde_json::json!([]), "mlr at {width}");
        let bars = &figure(&found, "Reads by clocks behind")["cells"];
        assert!((1..=3).contains(&bars.as_u64().unwrap()), "{bars}");
    }
    // Ten blocks change hands 30,000 times; what is drawn of it fits a screen.
    let long = look(&browser, &place, "long.html", 1280, false);
    let cells = figure(&long, "Who updated what when")["cells"]
        .as_u64()
        .unwrap();
    assert!((480..=960).contains(&cells), "{cells}");

    let (light, dark) = (long, look(&browser, &place, "mf.html", 1280, true));
    assert_eq!(
        (&light["dark"], &dark["dark"]),
        (&Value::Bool(false), &Value::Bool(true))
    );
    assert_ne!(light["background"], dark["background"]);
}
