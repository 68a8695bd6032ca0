//! The pages, served to a browser that reloads them when they have changed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use notify::{Event, RecursiveMode, Watcher};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;
use tower_livereload::{LiveReloadLayer, Reloader};

/// What the pages are made of.
const SOURCES: [&str; 5] =
    ["book/chapters", "book/theme", "book/traces", "bench", "crates"];

/// How long to wait for an editor to have written all of it.
const SETTLED: Duration = Duration::from_millis(300);

/// Builds, serves, and builds again when a source changes, until it is
/// stopped. What breaks the build is printed, and the last pages stay.
pub(crate) fn serve(
    root: &Path,
    address: SocketAddr,
    build: impl Fn() -> anyhow::Result<PathBuf>,
) -> anyhow::Result<()> {
    let pages = build()?;
    let layer = LiveReloadLayer::new();
    let reloader = layer.reloader();
    let runtime = tokio::runtime::Runtime::new()?;
    let listener = runtime
        .block_on(TcpListener::bind(address))
        .with_context(|| format!("cannot listen on {address}"))?;
    println!("http://{}", listener.local_addr()?);
    let router =
        Router::new().fallback_service(ServeDir::new(pages)).layer(layer);
    runtime.spawn(async move { axum::serve(listener, router).await });
    watch(root, &reloader, build)
}

fn watch(
    root: &Path,
    reloader: &Reloader,
    build: impl Fn() -> anyhow::Result<PathBuf>,
) -> anyhow::Result<()> {
    let (sender, changes) = mpsc::channel();
    let mut watcher =
        notify::recommended_watcher(move |event: notify::Result<Event>| {
            // To build is to read all of them, which is no change.
            let is_change = event.as_ref().is_ok_and(|e| !e.kind.is_access());
            if is_change || event.is_err() {
                // Nobody listens any more when the server ends.
                let _ = sender.send(event);
            }
        })?;
    for source in SOURCES {
        watcher.watch(&root.join(source), RecursiveMode::Recursive)?;
    }
    while let Ok(change) = changes.recv() {
        change.context("the sources cannot be watched")?;
        while changes.recv_timeout(SETTLED).is_ok() {}
        match build() {
            Ok(_) => reloader.reload(),
            Err(error) => eprintln!("{error:#}"),
        }
    }
    Ok(())
}
