//! Serves the pages over HTTP, and has the browser reload them after a change.

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

/// The folders that are watched for changes.
const SOURCES: [&str; 5] =
    ["book/chapters", "book/theme", "book/traces", "bench", "crates"];

/// How long the sources must be unchanged before a rebuild, so that an editor
/// can finish writing.
const SETTLE_TIME: Duration = Duration::from_millis(300);

/// Builds and serves the pages, and rebuilds them when a source changes.
/// Returns only on failure. A failed rebuild prints its error and leaves the
/// old pages.
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
            // A build reads the sources, and must not trigger another build.
            let is_change = event.as_ref().is_ok_and(|e| !e.kind.is_access());
            if is_change || event.is_err() {
                // Sending fails only while the program is shutting down.
                let _ = sender.send(event);
            }
        })?;
    for source in SOURCES {
        watcher.watch(&root.join(source), RecursiveMode::Recursive)?;
    }
    while let Ok(change) = changes.recv() {
        change.context("cannot watch the sources")?;
        while changes.recv_timeout(SETTLE_TIME).is_ok() {}
        match build() {
            Ok(_) => reloader.reload(),
            Err(error) => eprintln!("{error:#}"),
        }
    }
    Ok(())
}
