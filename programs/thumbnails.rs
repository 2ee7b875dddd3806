//! Thumbnails and a contact sheet of a folder of pictures, on threads.
//!
//! Decoding needs the processor, reading and writing the disk; the pool needs no hint which is
//! which. A broken picture, even one that makes the decoder panic, becomes a row of the report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use image::imageops::overlay;
use image::{Rgb, RgbImage};
use lexopt::prelude::*;
use trine::{TaskIterator, concurrent};
use trine_programs::{BadUsage, Failure, number, progress};

const USAGE: &str = "\
thumbnails: a folder of pictures becomes thumbnails and a contact sheet

Usage: thumbnails [--size PIXELS] [--out FOLDER] FOLDER

  --size PIXELS  the longer side of a thumbnail, 16 to 1024 (default: 128)
  --out FOLDER   where they go (default: `thumbnails` in the folder of pictures)

Reads .png, .jpg and .jpeg. Broken pictures are told and left out. Exits with 1 if all are broken.";

/// Makes one thumbnail, saves it and returns it for the contact sheet.
#[concurrent(threads)]
fn thumbnail(picture: PathBuf, size: u32, out: PathBuf) -> image::ImageResult<RgbImage> {
    let thumbnail = image::open(&picture)?.thumbnail(size, size).into_rgb8();
    let name = picture.file_name().unwrap_or_default().to_string_lossy();
    thumbnail.save(out.join(format!("{name}.png")))?;
    Ok(thumbnail)
}

fn main() -> ExitCode {
    trine_programs::run(USAGE, run)
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Failure> {
    let (mut folder, mut out, mut size) = (None, None, 128);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("size") => size = number("--size", &mut arguments)?,
            Long("out") => out = Some(PathBuf::from(arguments.value()?)),
            Value(value) if folder.is_none() => folder = Some(PathBuf::from(value)),
            other => return Err(other.unexpected().into()),
        }
    }
    let folder = folder.ok_or_else(|| BadUsage::because("which folder of pictures?"))?;
    if !(16..=1024).contains(&size) {
        return Err(BadUsage::because(format!("--size is {size}, and has to be 16 to 1024")));
    }
    let pictures = pictures_in(&folder)?;
    let out = out.unwrap_or_else(|| folder.join("thumbnails"));
    fs::create_dir_all(&out).map_err(|error| format!("cannot make {}: {error}", out.display()))?;

    let tasks = pictures.iter().map(|picture| thumbnail(picture.clone(), size, out.clone()));
    let results = progress(pictures.len()).wrap_iter(tasks.buffered(32));
    let mut thumbnails = Vec::new();
    for (picture, result) in pictures.iter().zip(results) {
        // The outer error is the task's (the decoder panicked), the inner one the function's own.
        match result {
            Ok(Ok(thumbnail)) => thumbnails.push(thumbnail),
            Ok(Err(error)) => println!("{}: {error}", picture.display()),
            Err(error) => println!("{}: {error}", picture.display()),
        }
    }
    let broken = pictures.len() - thumbnails.len();
    println!("{} thumbnails in {}, {broken} broken", thumbnails.len(), out.display());
    if thumbnails.is_empty() {
        return Err(format!("no picture in {} is whole", folder.display()).into());
    }
    contact_sheet(&thumbnails, size).save(out.join("contact-sheet.png"))?;
    Ok(())
}

fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(folder)
        .map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let mut pictures = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let kind = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if ["png", "jpg", "jpeg"].contains(&kind.as_str()) {
            pictures.push(path);
        }
    }
    if pictures.is_empty() {
        return Err(format!("no .png, .jpg or .jpeg in {}", folder.display()).into());
    }
    pictures.sort();
    Ok(pictures)
}

/// All thumbnails on one sheet, about as wide as it is high.
fn contact_sheet(thumbnails: &[RgbImage], size: u32) -> RgbImage {
    let columns = (thumbnails.len() as f64).sqrt().ceil() as u32;
    let rows = (thumbnails.len() as u32).div_ceil(columns);
    let mut sheet = RgbImage::from_pixel(columns * size, rows * size, Rgb([255; 3]));
    for (place, thumbnail) in (0..).zip(thumbnails) {
        let (column, row) = (place % columns, place / columns);
        let x = column * size + (size - thumbnail.width()) / 2;
        let y = row * size + (size - thumbnail.height()) / 2;
        overlay(&mut sheet, thumbnail, x.into(), y.into());
    }
    sheet
}
