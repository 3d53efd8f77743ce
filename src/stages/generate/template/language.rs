//! In which language a text is, and from which side it is read.
//!
//! Deliberately absent: a translation of the template's own few words. They stay English and say so.

use whatlang::{Detector, Lang, Script};

/// How much of a text is looked at, in bytes.
const SAMPLE: usize = 4_000;
/// The letters that it takes to tell one language of the Latin alphabet from another.
const LETTERS: usize = 40;

/// The languages that are told apart, with their tags. Some more are known, which a few words of Spanish or English are taken for.
const LANGUAGES: [(Lang, &str); 45] = [
    (Lang::Eng, "en"),
    (Lang::Deu, "de"),
    (Lang::Fra, "fr"),
    (Lang::Spa, "es"),
    (Lang::Por, "pt"),
    (Lang::Ita, "it"),
    (Lang::Nld, "nl"),
    (Lang::Pol, "pl"),
    (Lang::Ces, "cs"),
    (Lang::Hun, "hu"),
    (Lang::Ron, "ro"),
    (Lang::Dan, "da"),
    (Lang::Swe, "sv"),
    (Lang::Fin, "fi"),
    (Lang::Tur, "tr"),
    (Lang::Ind, "id"),
    (Lang::Vie, "vi"),
    (Lang::Rus, "ru"),
    (Lang::Ukr, "uk"),
    (Lang::Bul, "bg"),
    (Lang::Ell, "el"),
    (Lang::Kat, "ka"),
    (Lang::Hye, "hy"),
    (Lang::Heb, "he"),
    (Lang::Ara, "ar"),
    (Lang::Pes, "fa"),
    (Lang::Urd, "ur"),
    (Lang::Hin, "hi"),
    (Lang::Mar, "mr"),
    (Lang::Ben, "bn"),
    (Lang::Pan, "pa"),
    (Lang::Guj, "gu"),
    (Lang::Ori, "or"),
    (Lang::Tam, "ta"),
    (Lang::Tel, "te"),
    (Lang::Kan, "kn"),
    (Lang::Mal, "ml"),
    (Lang::Sin, "si"),
    (Lang::Tha, "th"),
    (Lang::Mya, "my"),
    (Lang::Khm, "km"),
    (Lang::Amh, "am"),
    (Lang::Cmn, "zh"),
    (Lang::Jpn, "ja"),
    (Lang::Kor, "ko"),
];

/// What stands in `lang` and `dir`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Language {
    /// A language tag (BCP 47).
    pub(super) tag: &'static str,
    pub(super) rtl: bool,
}

impl Language {
    pub(super) const ENGLISH: Self = Self {
        tag: "en",
        rtl: false,
    };

    /// The language of a text for people; `None` where there is too little of it to tell.
    pub(super) fn of(text: &str) -> Option<Self> {
        // Names of files, addresses and code are of no language.
        let words: Vec<&str> = crate::text::head(text, SAMPLE)
            .split_whitespace()
            .filter(|word| {
                !word.contains(['/', '_', '`', '=', '@', '#', '{', '<', '(', '\\'])
                    && !word
                        .trim_end_matches(['.', ',', ':', '?', '!'])
                        .contains('.')
            })
            .collect();
        let plain = words.join(" ");
        let all = LANGUAGES.map(|(language, _)| language).to_vec();
        let found = Detector::with_allowlist(all).detect(&plain)?;
        let letters = plain.chars().filter(|c| c.is_alphabetic()).count();
        let certain = match found.script() {
            Script::Latin => found.is_reliable() && letters >= LETTERS,
            // Other alphabets are of one language, or of a few that are much alike.
            _ => true,
        };
        // Short instructions are full of words that all languages share.
        let english = || {
            let little = [
                "the", "and", "with", "that", "for", "from", "to", "which", "this",
            ];
            let known = |word: &&&str| little.contains(&word.to_ascii_lowercase().as_str());
            words.iter().filter(known).count() * 12 > words.len()
        };
        if !certain || found.script() == Script::Latin && english() {
            return None;
        }
        let (_, tag) = LANGUAGES
            .into_iter()
            .find(|(language, _)| *language == found.lang())?;
        Some(Self {
            tag,
            rtl: matches!(tag, "ar" | "fa" | "he" | "ur"),
        })
    }
}

/// From which side a few words are read: as their first letter is.
pub(super) fn direction(text: &str) -> &'static str {
    let first = text.chars().find(|c| c.is_alphabetic());
    let rtl = first.is_some_and(|c| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    });
    if rtl { "rtl" } else { "ltr" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (text, tag) in [
            (
                "Erstelle eine einseitige Webseite, die die Summe der Verkäufe aus data.csv anzeigt und die Tabelle sortierbar macht.",
                "de",
            ),
            (
                "Crée une page web qui affiche le total des ventes du fichier data.csv et permet de trier le tableau par colonne.",
                "fr",
            ),
            (
                "Crea una página web que muestre el total de las ventas del archivo data.csv y permita ordenar la tabla.",
                "es",
            ),
            ("أنشئ صفحة ويب تعرض مجموع المبيعات من الملف data.csv", "ar"),
            (
                "צור דף אינטרנט שמציג את סך המכירות מתוך הקובץ data.csv",
                "he",
            ),
            (
                "data.csv から売上の合計を表示するページを作成してください",
                "ja",
            ),
            ("创建一个网页，显示 data.csv 中的销售总额", "zh"),
            (
                "Maak een pagina die het totaal van de verkopen toont en de tabel sorteert per kolom.",
                "nl",
            ),
            (
                "Создайте страницу, которая показывает сумму продаж из файла data.csv",
                "ru",
            ),
            ("एक वेब पेज बनाएं जो data.csv से कुल बिक्री दिखाए", "hi"),
        ] {
            let found = Language::of(text).map(|language| (language.tag, language.rtl));
            assert_eq!(found, Some((tag, ["ar", "he"].contains(&tag))), "{text}");
        }
    }

    #[test]
    fn what_is_english_or_too_short_is_left_alone() {
        for text in [
            "",
            "Make a clock",
            "Sum of sales",
            "data.csv index.html `code`",
            "Publish a single-page site that fetches data.csv from attachments, sums its sales column, sets the title to \"Sales Summary\".",
            "Create and publish these files as a public GitHub Pages site: ashravan.txt - A 300-400 word story",
            "Show GitHub user creation date",
        ] {
            let tag = Language::of(text).map_or("en", |language| language.tag);
            assert_eq!(tag, "en", "{text}");
        }
    }

    #[test]
    fn directions() {
        assert_eq!((direction("المنتج"), direction("1. שלום")), ("rtl", "rtl"));
        assert_eq!(
            (direction("a ש"), direction("12"), direction("")),
            ("ltr", "ltr", "ltr")
        );
    }
}
