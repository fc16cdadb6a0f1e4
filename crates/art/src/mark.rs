//! The mark of the house: an octagonal punch with an A, and a grain of metal for its bar.

/// The mark as a favicon, below 1 KB, in fixed colours that hold on light and dark browser tabs.
pub fn favicon_svg() -> &'static str {
    concat!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">"##,
        r##"<path d="M10 1.5h12L30.5 10v12L22 30.5H10L1.5 22V10z" fill="#0b6e5f" stroke="#e3bf72" stroke-width="1.6" stroke-linejoin="round"/>"##,
        r##"<path d="M8.5 24.5L16 7.5l7.5 17" fill="none" stroke="#fffdf5" stroke-width="3.2" stroke-linecap="round" stroke-linejoin="round"/>"##,
        r##"<path d="M16 17.2l3.1 3.9-3.1 3.9-3.1-3.9z" fill="#f0c565"/></svg>"##
    )
}

/// The mark for the head of a page, in `currentColor`; size it by the page (`height: 1.6em`). Its name stands beside
/// it as text, so it is hidden from screen readers.
pub fn logo_svg() -> &'static str {
    concat!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" aria-hidden="true" focusable="false">"##,
        r##"<g fill="none" stroke="currentColor" stroke-linejoin="round">"##,
        r##"<path d="M10 1.5h12L30.5 10v12L22 30.5H10L1.5 22V10z" fill="currentColor" fill-opacity=".08" stroke-width="2"/>"##,
        r##"<path d="M11.2 4.6h9.6l6.6 6.6v9.6l-6.6 6.6h-9.6l-6.6-6.6v-9.6z" stroke-width=".7" stroke-opacity=".6"/>"##,
        r##"<path d="M9.2 23.7L16 8.3l6.8 15.4" stroke-width="2.6" stroke-linecap="round"/></g>"##,
        r##"<path d="M16 17.4l2.7 3.5-2.7 3.5-2.7-3.5z" fill="currentColor"/></svg>"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_small_and_clean() {
        assert!(favicon_svg().len() < 1024);
        for mark in [favicon_svg(), logo_svg()] {
            assert!(crate::clean_svg(mark).is_ok());
            assert!(crate::raster(mark, 16).is_ok());
        }
    }
}
