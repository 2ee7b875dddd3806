//! The programs that use the network, against a site on loopback.

use std::net::TcpListener;

use crate::common::{Answer, Site, check_manners, run};

const LINKCHECK: &str = env!("CARGO_BIN_EXE_linkcheck");
const PIPELINE: &str = env!("CARGO_BIN_EXE_pipeline");

#[test]
fn manners() {
    [LINKCHECK, PIPELINE].into_iter().for_each(check_manners);
    let nonsense = run(LINKCHECK, &["not a url"]);
    assert_eq!(nonsense.code, 2);
    assert!(nonsense.err.contains("`not a url` is not a URL"), "{nonsense:?}");
}

#[test]
fn a_page_that_cannot_be_read_is_told_with_its_cause() {
    let refusing = refusing_address();
    let page = run(LINKCHECK, &[&refusing]);
    assert_eq!(page.code, 1, "{page:?}");
    assert!(page.err.starts_with(&format!("linkcheck: cannot read {refusing}: ")), "{page:?}");
    assert!(page.err.contains("refused"), "{page:?}");
    if !cfg!(feature = "https") {
        let page = run(PIPELINE, &["https://127.0.0.1/"]);
        assert_eq!(page.code, 1, "{page:?}");
        assert!(page.err.contains("https needs a build with `--features https`"), "{page:?}");
    }
}

/// The address of a server that has gone.
fn refusing_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    format!("http://{}/", listener.local_addr().expect("it is bound"))
}

#[test]
fn linkcheck_tells_good_from_broken() {
    let refusing = refusing_address();
    let page = format!(
        "<a href='/good'>a</a> <a href=\"good#again\">b</a> <img src=\"/flaky\"> \
         <a href=\"/down\">c</a> <a href=\"/missing\">d</a> <a href=\"/dead\">e</a> \
         <a href=\"{refusing}\">f</a> <a href=\"mailto:somebody\">g</a>"
    );
    let site = Site::start(&[
        ("/", Answer::Page(page.leak())),
        ("/good", Answer::Page("")),
        ("/flaky", Answer::After(2, "")),
        ("/down", Answer::Status(500)),
        ("/dead", Answer::Never),
    ]);

    let ran = run(LINKCHECK, &["--all", &format!("{}/", site.address)]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let row = |url: &str, status: &str, detail: &str| {
        let start = format!("{status} {url}  ");
        let row = ran.out.lines().find(|row| row.starts_with(&start));
        assert!(row.is_some_and(|row| row.contains(detail)), "{start}{detail} in {ran:?}");
    };
    let address = &site.address;
    row(&format!("{address}/good"), "ok    ", "200");
    row(&format!("{address}/flaky"), "ok    ", "200");
    row(&format!("{address}/down"), "broken", "500");
    row(&format!("{address}/missing"), "broken", "404");
    row(&format!("{address}/dead"), "broken", "timed out after 2s");
    row(&refusing, "broken", "refused");
    assert!(ran.out.ends_with("6 links, 4 broken\n"), "{ran:?}");
    // The page, /good and /missing once, the others three times.
    assert_eq!(site.requests(), 1 + 2 + 3 * 3);
}

#[test]
fn linkcheck_reads_a_sitemap() {
    let site = Site::start(&[
        ("/sitemap.xml", Answer::Page("<urlset><url><loc>/a</loc></url><url><loc>/b</loc>")),
        ("/a", Answer::Page("")),
        ("/b", Answer::Page("")),
    ]);
    let ran = run(LINKCHECK, &[&format!("{}/sitemap.xml", site.address)]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "2 links, 0 broken\n"), "{ran:?}");
}

#[test]
fn pipeline_indexes_what_it_can_get() {
    let site = Site::start(&[
        ("/pears", Answer::Page("<h1>Pears</h1><p class=fruit>Pears and plums</p>")),
        ("/plums", Answer::After(1, "<p>Plums</p><p>and more</p>")),
    ]);
    let urls = ["pears", "plums", "nothing"].map(|page| format!("{}/{page}", site.address));
    let [pears, plums, nothing] = &urls;

    let ran = run(PIPELINE, &[pears, plums, nothing]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.ends_with("pipeline: 1 of 3 pages are not in the index\n"), "{ran:?}");
    assert_eq!(ran.out, "     2  and\n     2  plums\n     1  more\n     1  pears\n");
    assert!(ran.err.contains(nothing.as_str()) && ran.err.contains("404"), "{ran:?}");

    let found = run(PIPELINE, &["--find", "PLUMS", pears, plums]);
    assert_eq!((found.code, found.out), (0, format!("{pears}\n{plums}\n")));
}

#[test]
fn pipeline_has_each_page_of_many_once() {
    let site = Site::start(&[
        ("/odd", Answer::Page("<p>odd page</p>")),
        ("/even", Answer::Page("<p>even page</p>")),
    ]);
    // More than the stages may be ahead of each other.
    let urls: Vec<_> = (0..300)
        .map(|number| {
            let page = if number % 2 == 1 { "odd" } else { "even" };
            format!("{}/{page}?{number}", site.address)
        })
        .collect();
    let ran = run(PIPELINE, &urls.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((ran.code, &*ran.out), (0, "   300  page\n   150  even\n   150  odd\n"), "{ran:?}");
}

/// A single word that is too long for the memory of the parser.
#[test]
fn pipeline_says_which_stage_has_failed() {
    let site = Site::start(&[
        ("/small", Answer::Page("<p>small</p>")),
        ("/large", Answer::Page("a".repeat(48 << 20).leak())),
    ]);
    let urls = ["small", "large"].map(|page| format!("{}/{page}", site.address));
    let ran = run(PIPELINE, &[&urls[0], &urls[1]]);
    assert_eq!((ran.code, &*ran.out), (1, ""), "{ran:?}");
    assert!(ran.err.ends_with("pipeline: task `parse` went over its memory limit\n"), "{ran:?}");
}
