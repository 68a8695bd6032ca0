//! Columns of figures beside the names of contestants, packed into blocks of at
//! most 80 columns.

use crate::output::style::{Emphasis, Styles};
use crate::output::wrap::WIDTH;

/// The heading of the first column.
const NAMES: &str = "contestant";

/// A column of figures.
pub(crate) struct Column {
    /// The title that the column shares with its neighbours.
    pub(crate) title: String,
    /// The heading: figure and unit.
    pub(crate) heading: String,
    /// The figures, one per contestant.
    pub(crate) cells: Vec<Cell>,
}

/// A figure.
pub(crate) struct Cell {
    /// The mark and the number.
    pub(crate) number: String,
    /// Half of the interval.
    pub(crate) half: String,
    /// The mark of a suspect figure.
    pub(crate) suspect: &'static str,
    /// How it is emphasized.
    pub(crate) emphasis: Emphasis,
}

/// How close columns are to each other. A closer one is used only where the
/// others don't fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    /// A column begins where the widest cell of the one before it ends.
    Apart,
    /// It begins as soon as there is a space before each of its cells.
    Interlocked,
    /// Also, cells are aligned at the end of the interval, and not at its sign.
    Narrow,
}

/// Draws the columns in as few blocks as possible.
pub(crate) fn draw(
    names: &[String],
    columns: &[Column],
    styles: Styles,
) -> String {
    let blocks = blocks(names, columns).into_iter();
    let texts: Vec<String> = blocks
        .map(|columns| {
            let lines = packed(names, columns, styles).into_iter();
            let styled = lines.enumerate().map(|(index, line)| match index {
                0 | 1 => styles.paint(Emphasis::Heading, &line.text) + "\n",
                _ => line.text + "\n",
            });
            styled.collect()
        })
        .collect();
    texts.join("\n")
}

/// Splits the columns into blocks. Those with the same title stay in one block
/// if they fit.
fn blocks<'b>(names: &[String], columns: &'b [Column]) -> Vec<&'b [Column]> {
    let fits = |columns: &[Column]| {
        let lines = packed(names, columns, Styles::none());
        lines.iter().all(|line| line.width <= WIDTH)
    };
    let mut blocks = Vec::new();
    let mut start = 0;
    let mut end = 0;
    for group in columns.chunk_by(has_same_title) {
        if fits(&columns[start..end + group.len()]) {
            end += group.len();
            continue;
        }
        if end > start {
            blocks.push(&columns[start..end]);
            start = end;
        }
        // A group that is too wide for one block is split.
        for _ in group {
            if end > start && !fits(&columns[start..=end]) {
                blocks.push(&columns[start..end]);
                start = end;
            }
            end += 1;
        }
    }
    if end > start {
        blocks.push(&columns[start..end]);
    }
    blocks
}

fn has_same_title(one: &Column, other: &Column) -> bool {
    one.title == other.title
}

/// A line, from its left end.
#[derive(Default)]
struct Line {
    text: String,
    width: usize,
}

impl Line {
    /// Appends a text that ends at the column `end`.
    fn put(&mut self, text: &str, emphasis: Emphasis, end: usize, to: Styles) {
        let gap = end - width_of(text) - self.width;
        self.text += &" ".repeat(gap);
        self.text += &to.paint(emphasis, text);
        self.width = end;
    }
}

/// Returns the lines of a block, packed no closer than necessary: the titles,
/// the headings, and one line per contestant.
fn packed(names: &[String], columns: &[Column], styles: Styles) -> Vec<Line> {
    let with = |packing| lines(names, columns, packing, styles);
    let fits = |lines: &Vec<Line>| lines.iter().all(|line| line.width <= WIDTH);
    let apart = Some(with(Packing::Apart)).filter(fits);
    apart
        .or_else(|| Some(with(Packing::Interlocked)).filter(fits))
        .unwrap_or_else(|| with(Packing::Narrow))
}

fn lines(
    names: &[String],
    columns: &[Column],
    packing: Packing,
    styles: Styles,
) -> Vec<Line> {
    let mut titles = Line::default();
    let names = [NAMES].into_iter().chain(names.iter().map(String::as_str));
    let mut lines: Vec<Line> = names
        .map(|name| Line { text: name.to_owned(), width: width_of(name) })
        .collect();
    let mut end = lines.iter().map(|line| line.width).max().unwrap_or(0);
    for group in columns.chunk_by(has_same_title) {
        let title = &group[0].title;
        let mut start = usize::MAX;
        for (index, column) in group.iter().enumerate() {
            let rows = column.rows(packing);
            let ends = lines.iter().zip(&rows).map(|(line, row)| {
                let before = match packing {
                    Packing::Apart => end,
                    Packing::Interlocked | Packing::Narrow => line.width,
                };
                before + 1 + width_of(&row.text) + row.after
            });
            let is_last = index + 1 == group.len();
            let title_end = titles.width + 1 + width_of(title);
            let title_end = is_last.then_some(title_end);
            end = ends.chain(title_end).max().unwrap_or(0);
            for (line, row) in lines.iter_mut().zip(&rows) {
                let end = end - row.after;
                start = start.min(end - width_of(&row.text));
                line.put(&row.text, row.emphasis, end, styles);
            }
        }
        let start = start.max(titles.width + 1);
        let title = centred(title, end - start, group.len());
        titles.put(&title, Emphasis::Plain, end, styles);
    }
    lines.insert(0, titles);
    lines
}

/// Returns a title, centred above several columns with a line to both sides.
fn centred(title: &str, width: usize, columns: usize) -> String {
    let rest = width.saturating_sub(width_of(title));
    if columns == 1 || rest < 4 {
        return title.to_owned();
    }
    let left = (rest - 2) / 2;
    let [left, right] = [left, rest - 2 - left].map(|count| "-".repeat(count));
    format!("{left} {title} {right}")
}

/// A text in a column, before a number of spaces.
struct Row {
    text: String,
    emphasis: Emphasis,
    after: usize,
}

impl Column {
    /// Returns the heading and the cells.
    fn rows(&self, packing: Packing) -> Vec<Row> {
        // What is aligned at its left end.
        let tail = |cell: &Cell| match packing {
            Packing::Narrow => width_of(cell.suspect),
            Packing::Apart | Packing::Interlocked => {
                width_of(&cell.half) + width_of(cell.suspect)
            }
        };
        let tails = self.cells.iter().map(tail).max().unwrap_or(0);
        let heading = Row {
            text: self.heading.clone(),
            emphasis: Emphasis::Plain,
            after: 0,
        };
        let cells = self.cells.iter().map(|cell| Row {
            text: format!("{}{}{}", cell.number, cell.half, cell.suspect),
            emphasis: cell.emphasis,
            after: tails - tail(cell),
        });
        [heading].into_iter().chain(cells).collect()
    }
}

/// Returns the width of a text in columns.
fn width_of(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::figure::Figure;
    use crate::output::titles;

    /// The columns of the default run: title, figure and unit.
    const DEFAULT: [(&str, Figure, &str); 7] = [
        ("1 long", Figure::Time, "ms"),
        ("1 client", Figure::Rate, "k/s"),
        ("64 clients", Figure::Cost, "µs"),
        ("64 clients", Figure::Rate, "k/s"),
        ("64 clients", Figure::P99, "µs"),
        ("beside 1", Figure::Left, "%"),
        ("1000 idle", Figure::PerClient, "KiB"),
    ];

    /// The ten servers on a quiet machine.
    const QUIET: [&str; 10] = [
        "blocking ~53.2±3? 21.5±4 19.8±7 19.3±9 81.5±9? 0 -",
        "threads ~53.1±1? 21.4±6 8.3±11 121±11 1206±14 ~97±10 10.4±3",
        "processes ~53.1±1? 18.2±5 27.2±5 36.6±5 2490±20 ~87±39 10.4±2",
        "mio ~53.1±4 21.1±4 ~5.49±9 ~≥176±10? ~657±71? <0.1 ~0.80±38",
        "coroutines ~53.1±1? 20.7±6 ~5.64±8? ~≥180±8 ~596±10? <0.1 ~1.47±5",
        "coroutines-pool ~53.1±1 =24.2±6 9.76±4 102±4 1126±11 ~69±62 ~1.5±16",
        "mio-pool ~53.1±1? *24.8±6 9.64±5? 102±5? 1104±65? ~36±96 ~0.80±18?",
        "tokio ~53.1±1 21.1±5 10.4±4 94.9±5 1214±59 ~59±72 ~1.8±18?",
        "smol ~53.1±1 18.8±6 11.8±5 83.1±7 1330±39 ~85±58 ~1.62±9?",
        "async-std ~53.1±1 18.7±5 12.0±5 81.8±6 1330±39 ~61±>99? ~1.56±9?",
    ];

    /// The ten servers on a busy machine.
    const BUSY: [&str; 10] = [
        "blocking ~58±30? ~18±13? 22±24? 17±38? 0.1±>99? 0? -",
        "threads ~53±16? ~18±17? ~9.3±35? ~81±>99? ~15±>99? ~98±47? 10.4±2?",
        "processes ~54±36? ~17.1±8? 30±15? 29±35? ~17±>99? ~104±>99? 10.4±2?",
        "mio ~53±28? ~18±12? ~5.9±19? ~≥130±75? ~5±>99? <0.1? ~0.88±21?",
        "coroutines ~56±27? ~18±12? ~6.0±13? ~≥136±61? ~4.5±81? <0.1? 1.44±9?",
        "coroutines-pool ~57±21? ~18±18? 11±14? 77±48? ~5.3±70? ~67±73? 1.4±14?",
        "mio-pool ~53.2±9? ~19±15? 11±13? 78±47? ~5.0±68? ~77±68? ~0.79±10?",
        "tokio ~55±30? ~17±13? 11±12? ~72±39? ~6.4±60? ~120±>99? 1.8±12?",
        "smol ~53.3±6? ~16±11? 13±13? 65±43? ~6.7±63? ~131±>99? 1.67±3?",
        "async-std ~54±14? ~16.1±9? 13±13? ~68±34? ~5.0±83? ~73±>99? 1.60±5?",
    ];

    /// Returns the names and the columns of lines of cells.
    fn parsed(lines: &[&str]) -> (Vec<String>, Vec<Column>) {
        let words = lines.iter().map(|line| line.split(' '));
        let words: Vec<Vec<&str>> = words.map(Iterator::collect).collect();
        let names = words.iter().map(|words| words[0].to_owned()).collect();
        let columns = (1..).zip(DEFAULT).map(|(index, column)| {
            let (title, figure, unit) = column;
            let cells = words.iter().map(|words| cell(words[index]));
            Column {
                title: title.to_owned(),
                heading: format!("{} {unit}", titles::column(figure)),
                cells: cells.collect(),
            }
        });
        (names, columns.collect())
    }

    fn cell(text: &str) -> Cell {
        let without = text.trim_end_matches('?');
        let (number, half) =
            without.split_at(without.find('±').unwrap_or(without.len()));
        Cell {
            number: number.to_owned(),
            half: half.to_owned(),
            suspect: if text == without { "" } else { "?" },
            emphasis: Emphasis::Plain,
        }
    }

    #[test]
    fn the_default_run_of_the_ten_fits_into_one_block_with_all_marks() {
        for cells in [QUIET, BUSY] {
            let (names, columns) = parsed(&cells);
            let text = draw(&names, &columns, Styles::none());
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines.len(), 2 + cells.len(), "\n{text}");
            for line in &lines {
                assert!(width_of(line) <= WIDTH, "\n{text}");
            }
            for (line, cells) in lines[2..].iter().zip(cells) {
                let words: Vec<&str> = line.split_whitespace().collect();
                assert_eq!(words.join(" "), cells, "\n{text}");
            }
        }
    }

    #[test]
    fn cells_are_aligned_at_the_sign_of_the_interval_if_there_is_room() {
        let (names, columns) = parsed(&[
            "a ~53.2±3? 21.5±4 19.8±7 19.3±9 1206±3 0 -",
            "b ~53±16? ~21.4±6 =8.3±11 121±11 81.5±9? ~97±10 10.4±3",
        ]);
        let text = draw(&names, &columns, Styles::none());
        let expected = "
              1 long 1 client ------ 64 clients ------ beside 1 1000 idle
contestant   time ms rate k/s cost µs rate k/s  p99 µs   left %  mem. KiB
a          ~53.2±3?    21.5±4 19.8±7   19.3±9  1206±3      0          -
b            ~53±16?  ~21.4±6 =8.3±11   121±11 81.5±9?   ~97±10    10.4±3
";
        assert_eq!(format!("\n{text}"), expected);
    }

    #[test]
    fn what_does_not_fit_is_in_a_second_block_with_its_title() {
        let mut lines = BUSY;
        let renamed =
            BUSY[3].replacen("mio", "a-very-long-name-of-a-server", 1);
        lines[3] = &renamed;
        let (names, columns) = parsed(&lines);
        let text = draw(&names, &columns, Styles::none());
        let (first, second) = text.split_once("\n\n").unwrap();
        assert!(first.contains("64 clients"), "\n{text}");
        assert!(second.contains("1000 idle"), "\n{text}");
        assert!(text.lines().all(|line| width_of(line) <= WIDTH), "\n{text}");
    }
}
