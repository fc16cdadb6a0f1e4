//! SVG to PNG, for mail, for social cards, and for badges that have to travel as PNG.

use resvg::{tiny_skia, usvg};

use crate::clean;

/// Edge of the largest picture, in pixels: 2000 x 2000 x 4 bytes is 16 MB for each layer.
pub const MAX_PIXELS: u32 = 2000;

/// Largest SVG that is rendered, in bytes: programme art at its own limit plus lettering, rim and hallmark.
const MAX_BYTES: usize = 1024 * 1024;

/// Layers (opacity, clip, mask) that may be open at once; each may hold a full picture.
const MAX_LAYERS: usize = 8;

/// Elements after every `use` has been written out.
const MAX_NODES: usize = 50_000;

/// Square pixels painted, overlaps counted each time: a few seconds of one core at the very most.
const MAX_PAINT: f64 = 1e9;

/// Why a picture could not be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The wanted size is 0 or above [`MAX_PIXELS`].
    #[error("a picture has 1 to {MAX_PIXELS} pixels on each side, not {0}; ask for another size")]
    Size(u32),
    /// The SVG is outside the safe subset; the faults say where.
    #[error("the SVG is outside the safe subset: {}", .0.join("; "))]
    Unsafe(Vec<String>),
    /// The SVG could not be drawn.
    #[error("the SVG could not be drawn ({0}); open it in a drawing program and save it as plain SVG")]
    Draw(String),
    /// The SVG stacks too many layers.
    #[error("the SVG nests more than {MAX_LAYERS} groups with opacity, clip or mask; flatten some of them")]
    Layers,
    /// The SVG would take too long to draw.
    #[error("the SVG has too many or too large overlapping shapes to be drawn at this size; simplify it or ask for a smaller picture")]
    Heavy,
}

/// Renders an SVG of the safe subset (see [`crate::clean_svg`]) to a square PNG with `pixels` on each side.
///
/// The picture is fitted into the square and centred; what it does not cover stays transparent. Nothing is read
/// from disk or network: the subset knows no images, fonts or outside references.
///
/// # Errors
///
/// [`Error::Size`] for a size of 0 or above [`MAX_PIXELS`], [`Error::Unsafe`] for an SVG above 1 MiB or outside the
/// subset, [`Error::Layers`] and [`Error::Heavy`] for one that would take too much memory or time, and
/// [`Error::Draw`] when the renderer refuses it.
pub fn raster(svg: &str, pixels: u32) -> Result<Vec<u8>, Error> {
    if pixels == 0 || pixels > MAX_PIXELS {
        return Err(Error::Size(pixels));
    }
    // What is drawn is the cleaned text, so that checker and renderer cannot read it differently.
    let cleaned = clean::clean_within(svg, MAX_BYTES).map_err(Error::Unsafe)?;
    let options = usvg::Options {
        image_href_resolver: usvg::ImageHrefResolver { resolve_data: Box::new(|_, _, _| None), resolve_string: Box::new(|_, _| None) },
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(&cleaned.to_svg(), &options).map_err(|e| Error::Draw(e.to_string()))?;
    let mut pixmap = tiny_skia::Pixmap::new(pixels, pixels).ok_or(Error::Size(pixels))?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let scale = pixels as f32 / width.max(height);
    let canvas = f64::from(pixels) * f64::from(pixels);
    weigh(tree.root(), 0, f64::from(scale), canvas, &mut Weight::default())?;
    let shift = |length: f32| (pixels as f32 - length * scale) / 2.0;
    let transform = tiny_skia::Transform::from_scale(scale, scale).post_translate(shift(width), shift(height));
    resvg::render(&tree, transform, &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|e| Error::Draw(e.to_string()))
}

/// What drawing costs, counted before it starts.
#[derive(Default)]
struct Weight {
    nodes: usize,
    /// Area of all bounding boxes together, in square pixels.
    paint: f64,
}

fn weigh(group: &usvg::Group, layers: usize, scale: f64, canvas: f64, sum: &mut Weight) -> Result<(), Error> {
    let area = |b: tiny_skia::Rect| {
        let area = f64::from(b.width()) * scale * f64::from(b.height()) * scale;
        if area.is_finite() { area.min(canvas) } else { canvas }
    };
    let isolated = group.should_isolate();
    let layers = layers + usize::from(isolated);
    if layers > MAX_LAYERS {
        return Err(Error::Layers);
    }
    if isolated {
        sum.paint += 2.0 * area(group.abs_layer_bounding_box().to_rect());
    }
    for node in group.children() {
        sum.nodes += 1;
        sum.paint += area(node.abs_stroke_bounding_box());
        if sum.nodes > MAX_NODES || sum.paint > MAX_PAINT {
            return Err(Error::Heavy);
        }
        let mut inside = Ok(());
        node.subroots(|part| {
            if inside.is_ok() {
                inside = weigh(part, layers + 1, scale, canvas, sum);
            }
        });
        inside?;
        if let usvg::Node::Group(inner) = node {
            weigh(inner, layers, scale, canvas, sum)?;
        }
    }
    Ok(())
}
