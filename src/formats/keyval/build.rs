//! A Bolt file from nothing: two meta pages, an empty free list, and the trees of the buckets.

use super::pages::{BRANCH, FREE_LIST, HEADER, IS_BUCKET, LEAF, MAGIC, META, VERSION, fnv1a};

/// Bytes of a page.
const PAGE: usize = 4096;
const FREE_LIST_PAGE: u64 = 2;

/// A key and its value, or the page that begins with the key.
struct Element {
    flags: u32,
    key: Vec<u8>,
    value: Vec<u8>,
    page: u64,
}

/// Keys and values.
type Items = Vec<(Vec<u8>, Vec<u8>)>;

/// A file with these buckets. Their names ascend, and so do the keys in each.
pub(super) fn build(buckets: Vec<(&str, Items)>) -> Vec<u8> {
    let mut file = vec![0; 2 * PAGE];
    put_page(&mut file, FREE_LIST, &[]);
    let mut roots = Vec::new();
    for (name, items) in buckets {
        let leaf = |(key, value)| Element { flags: 0, key, value, page: 0 };
        let root = put_tree(&mut file, items.into_iter().map(leaf).collect());
        // The number of its root page, and of keys that it has given out: none.
        let value = [root.to_le_bytes(), [0; 8]].concat();
        roots.push(Element { flags: IS_BUCKET, key: name.into(), value, page: 0 });
    }
    let root = put_tree(&mut file, roots);
    let pages = (file.len() / PAGE) as u64;
    for transaction in 0..2 {
        let start = transaction as usize * PAGE;
        let meta = meta_page(transaction, root, pages);
        file[start..start + meta.len()].copy_from_slice(&meta);
    }
    file
}

/// Leaves, and branches over them until there is one page; its number.
fn put_tree(file: &mut Vec<u8>, elements: Vec<Element>) -> u64 {
    let mut level = put_level(file, LEAF, elements);
    while level.len() > 1 {
        level = put_level(file, BRANCH, level);
    }
    level.first().map_or_else(|| put_page(file, LEAF, &[]), |only| only.page)
}

/// As many pages as the elements need; an element for each. Only one that does not fit a page has
/// more than that, so each level has fewer pages than the one below.
fn put_level(file: &mut Vec<u8>, flags: u16, elements: Vec<Element>) -> Vec<Element> {
    let mut above = Vec::new();
    let mut page: Vec<Element> = Vec::new();
    let mut size = HEADER;
    let mut close = |page: &mut Vec<Element>| {
        if let Some(first) = page.first() {
            let (key, number) = (first.key.clone(), put_page(file, flags, page));
            above.push(Element { flags: 0, key, value: Vec::new(), page: number });
        }
        page.clear();
    };
    for element in elements {
        let needs = HEADER + element.key.len() + element.value.len();
        let room_for_two = flags == LEAF || page.len() > 1;
        if size + needs > PAGE && room_for_two {
            close(&mut page);
            size = HEADER;
        }
        size += needs;
        page.push(element);
    }
    close(&mut page);
    above
}

/// A page at the end of the file, and more behind it if it needs them; its number.
fn put_page(file: &mut Vec<u8>, flags: u16, elements: &[Element]) -> u64 {
    let number = (file.len() / PAGE) as u64;
    let (mut fields, mut contents) = (Vec::new(), Vec::<u8>::new());
    for (index, element) in elements.iter().enumerate() {
        let offset = (elements.len() - index) * HEADER + contents.len();
        let [offset, key, value] = [offset, element.key.len(), element.value.len()];
        let [offset, key, value] = [offset, key, value].map(|n| (n as u32).to_le_bytes());
        fields.extend(match flags {
            LEAF => [element.flags.to_le_bytes(), offset, key, value].concat(),
            _ => [&offset[..], &key, &element.page.to_le_bytes()].concat(),
        });
        contents.extend(&element.key);
        contents.extend(&element.value);
    }
    let size = HEADER + fields.len() + contents.len();
    let more = size.div_ceil(PAGE) - 1;
    file.extend(number.to_le_bytes());
    file.extend(flags.to_le_bytes());
    file.extend((elements.len() as u16).to_le_bytes());
    file.extend((more as u32).to_le_bytes());
    file.extend(fields);
    file.extend(contents);
    file.resize((number as usize + 1 + more) * PAGE, 0);
    number
}

fn meta_page(number: u64, root: u64, pages: u64) -> Vec<u8> {
    let mut page = number.to_le_bytes().to_vec();
    page.extend(META.to_le_bytes());
    page.resize(HEADER, 0);
    for field in [MAGIC, VERSION, PAGE as u32, 0] {
        page.extend(field.to_le_bytes());
    }
    for field in [root, 0, FREE_LIST_PAGE, pages, number] {
        page.extend(field.to_le_bytes());
    }
    let sum = fnv1a(&page[HEADER..]);
    page.extend(sum.to_le_bytes());
    page
}
