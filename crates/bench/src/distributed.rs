//! A Map in distributed mode over the lines of a file: throughput, and how much memory it takes.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::client::{Client, Operation, Status};
use crate::load::{count, create, expect, start_of};
use crate::process;
use crate::server::{Server, Who};
use crate::{Fault, Place};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a distributed Map cost.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Mapped {
    pub(crate) items: usize,
    pub(crate) seconds: f64,
    pub(crate) items_per_s: f64,
    pub(crate) cpu_us_per_item: f64,
    /// The most that the server had in memory, in MiB, and what it had before.
    pub(crate) peak_rss_mib: f64,
    pub(crate) before_rss_mib: f64,
    pub(crate) load_average: f64,
}

/// Runs a Map of `items` child executions with one Pass state each, and writes the results into the same folder.
pub(crate) async fn run(who: &Who, place: &Place, items: usize) -> Result<Mapped, Fault> {
    const LIMIT: Duration = Duration::from_secs(900);
    let folder = place.directory("bucket");
    write_items(&folder, items).map_err(|source| Fault::Directory { source })?;
    let bucket = format!("items={}", folder.display());
    let server = Server::start_with(who, &place.directory("distributed"), &["--bucket", &bucket]).await?;
    let mapped = tokio::time::timeout(LIMIT, on(&server, items)).await;
    let mapped = mapped.map_err(|_| Fault::TooLong { what: "the distributed Map", limit: LIMIT })??;
    server.kill().await?;
    Ok(mapped)
}

fn write_items(folder: &Path, items: usize) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut file = std::io::BufWriter::new(std::fs::File::create(folder.join("items.jsonl"))?);
    for number in 0..items {
        writeln!(file, r#"{{"order":{number},"customer":"Hanako Yamada","note":"leave it with the neighbours"}}"#)?;
    }
    file.flush()
}

async fn on(server: &Server, items: usize) -> Result<Mapped, Fault> {
    let mut client = Client::connect(server.address).await?;
    let machine = create(&mut client, "distributed", &definition()).await?;
    let before = process::memory(server.pid);
    let (began, cpu) = (Instant::now(), process::cpu(server.pid));
    let arn = client.start(&start_of(&machine, "{}")).await?.arn;
    let mut peak = before.rss_kib;
    let described = loop {
        tokio::time::sleep(LOOK_EVERY).await;
        peak = peak.max(process::memory(server.pid).rss_kib);
        let described = client.describe(&arn).await?;
        if described.status != Status::Running {
            break described;
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    expect(&arn, &described, Status::Succeeded)?;
    let runs: Value = client.ask(Operation::ListMapRuns, &json!({ "executionArn": arn }).to_string()).await?;
    let run = json!({ "mapRunArn": runs["mapRuns"][0]["mapRunArn"] }).to_string();
    let run: Value = client.ask(Operation::DescribeMapRun, &run).await?;
    let succeeded = usize::try_from(run["itemCounts"]["succeeded"].as_u64().unwrap_or_default()).unwrap_or_default();
    if succeeded != items {
        return Err(Fault::Items { succeeded, expected: items });
    }
    let cpu = process::cpu(server.pid).saturating_sub(cpu);
    Ok(Mapped {
        items,
        seconds,
        items_per_s: count(items) / seconds,
        cpu_us_per_item: cpu.as_secs_f64() * 1e6 / count(items),
        peak_rss_mib: crate::goals::mib(peak),
        before_rss_mib: crate::goals::mib(before.rss_kib),
        load_average: process::load(),
    })
}

fn definition() -> Value {
    let processor = json!({
        "ProcessorConfig": { "Mode": "DISTRIBUTED", "ExecutionType": "STANDARD" },
        "StartAt": "Item",
        "States": { "Item": { "Type": "Pass", "End": true } },
    });
    let reader = json!({
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": { "InputType": "JSONL" },
        "Parameters": { "Bucket": "items", "Key": "items.jsonl" },
    });
    let writer = json!({
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": { "Bucket": "items", "Prefix": "results" },
    });
    let map = json!({
        "Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "ResultWriter": writer, "End": true,
    });
    json!({ "StartAt": "Map", "States": { "Map": map } })
}
