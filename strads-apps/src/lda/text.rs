//! From what people have (text) to what a model wants: words without case and punctuation,
//! without the ones that say nothing, without the ones that occur almost nowhere or everywhere.

use std::collections::HashMap;

use strads_datasets::Corpus;

/// Which words stay.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruning {
    /// Words as they are, or cut at everything that is not a letter or digit, in lower case, with
    /// stop words and single letters left out.
    pub tokenise: bool,
    /// A word has to occur in this many documents.
    pub min_documents: u32,
    /// And in no larger share of them.
    pub max_share: f64,
}

impl Pruning {
    /// All words as they are.
    pub fn all() -> Self {
        Self {
            tokenise: false,
            min_documents: 1,
            max_share: 1.0,
        }
    }

    /// True if every word stays as it is.
    pub fn keeps_all(&self) -> bool {
        !self.tokenise && self.min_documents <= 1 && self.max_share >= 1.0
    }
}

/// The corpus with only the words that stay, numbered anew in their old order.
pub fn prune(corpus: &Corpus, pruning: &Pruning) -> Corpus {
    let tokenised = if pruning.tokenise {
        tokenise(corpus)
    } else {
        corpus.clone()
    };
    let mut documents_with = vec![0u32; tokenised.word_kinds];
    for &word in &tokenised.words {
        documents_with[word as usize] += 1;
    }
    let most = pruning.max_share * tokenised.documents() as f64;
    let stays = |word: usize| {
        documents_with[word] >= pruning.min_documents && f64::from(documents_with[word]) <= most
    };
    let mut numbers = vec![None; tokenised.word_kinds];
    let mut kept = 0;
    for word in (0..tokenised.word_kinds).filter(|&word| stays(word)) {
        numbers[word] = Some(kept);
        kept += 1;
    }
    let name = |word: usize| match &tokenised.vocabulary {
        Some(words) => words[word].clone(),
        // Words without a name keep their old number as one.
        None => word.to_string(),
    };
    let staying = (0..numbers.len()).filter(|&word| numbers[word].is_some());
    let vocabulary = Some(staying.map(name).collect());
    rebuild(&tokenised, kept as usize, vocabulary, |word, count, bag| {
        if let Some(number) = numbers[word as usize] {
            bag.push((number, count));
        }
    })
}

/// Cuts the words of the vocabulary into plain ones.
fn tokenise(corpus: &Corpus) -> Corpus {
    let Some(words) = &corpus.vocabulary else {
        return corpus.clone();
    };
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let mut plain = Vec::new();
    let mut parts = Vec::new();
    for word in words {
        let cut = word
            .split(|c: char| !c.is_alphanumeric())
            .map(str::to_lowercase);
        let cut = cut.filter(|part| part.chars().count() > 1 && !is_stop_word(part));
        let numbered = cut.map(|part| {
            *numbers.entry(part).or_insert_with_key(|part| {
                plain.push(part.clone());
                plain.len() as u32 - 1
            })
        });
        parts.push(numbered.collect::<Vec<u32>>());
    }
    let kinds = plain.len();
    rebuild(corpus, kinds, Some(plain), |word, count, bag| {
        bag.extend(parts[word as usize].iter().map(|&part| (part, count)));
    })
}

/// The corpus with every entry replaced by those that `replace` adds to the document's bag.
fn rebuild(
    corpus: &Corpus,
    word_kinds: usize,
    vocabulary: Option<Vec<String>>,
    replace: impl Fn(u32, u32, &mut Vec<(u32, u32)>),
) -> Corpus {
    let mut new = Corpus {
        starts: vec![0],
        words: Vec::new(),
        counts: Vec::new(),
        word_kinds,
        vocabulary,
    };
    let mut bag = Vec::new();
    for document in 0..corpus.documents() {
        bag.clear();
        let (words, counts) = corpus.document(document);
        for (&word, &count) in words.iter().zip(counts) {
            replace(word, count, &mut bag);
        }
        bag.sort_unstable();
        for same in bag.chunk_by(|a, b| a.0 == b.0) {
            new.words.push(same[0].0);
            new.counts.push(same.iter().map(|&(_, count)| count).sum());
        }
        new.starts.push(new.words.len());
    }
    new
}

fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// English function words, in order.
#[rustfmt::skip]
const STOP_WORDS: &[&str] = &[
    "about", "above", "after", "again", "against", "all", "also", "although", "am", "among",
    "an", "and", "another", "any", "are", "as", "at", "be", "because", "been", "before",
    "being", "below", "between", "both", "but", "by", "can", "cannot", "could", "did", "do",
    "does", "doing", "don", "down", "during", "each", "either", "else", "etc", "even", "ever",
    "every", "few", "for", "from", "further", "had", "has", "have", "having", "he", "hence",
    "her", "here", "hers", "herself", "him", "himself", "his", "how", "however", "if", "in",
    "into", "is", "it", "its", "itself", "just", "least", "less", "may", "me", "might", "more",
    "most", "much", "must", "my", "myself", "neither", "no", "nor", "not", "now", "of", "off",
    "often", "on", "once", "one", "only", "or", "other", "our", "ours", "ourselves", "out",
    "over", "own", "per", "perhaps", "rather", "re", "same", "shall", "she", "should", "since",
    "so", "some", "such", "than", "that", "the", "their", "theirs", "them", "themselves",
    "then", "there", "therefore", "these", "they", "this", "those", "though", "through", "thus",
    "to", "too", "under", "until", "up", "upon", "us", "ve", "very", "was", "we", "were",
    "what", "when", "where", "whether", "which", "while", "who", "whom", "whose", "why", "will",
    "with", "within", "without", "would", "yet", "you", "your", "yours", "yourself",
    "yourselves",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn corpus(documents: &[&[&str]]) -> Corpus {
        let mut vocabulary: Vec<String> = Vec::new();
        let mut corpus = Corpus {
            starts: vec![0],
            words: Vec::new(),
            counts: Vec::new(),
            word_kinds: 0,
            vocabulary: None,
        };
        for document in documents {
            for word in *document {
                let known = vocabulary.iter().position(|w| w == word);
                let number = known.unwrap_or_else(|| {
                    vocabulary.push((*word).to_owned());
                    vocabulary.len() - 1
                });
                corpus.words.push(number as u32);
                corpus.counts.push(1);
            }
            corpus.starts.push(corpus.words.len());
        }
        corpus.word_kinds = vocabulary.len();
        corpus.vocabulary = Some(vocabulary);
        corpus
    }

    /// Case, punctuation, function words and single letters go; what becomes equal is one word.
    #[test]
    fn text_becomes_words() {
        let text = corpus(&[&["The", "Cats,", "cats", "a", "well-known"], &[]]);
        let pruning = Pruning {
            tokenise: true,
            min_documents: 1,
            max_share: 1.0,
        };
        let plain = prune(&text, &pruning);
        assert_eq!(
            plain.vocabulary.as_deref(),
            Some(&["cats".into(), "well".into(), "known".into()][..])
        );
        assert_eq!(plain.document(0), (&[0, 1, 2][..], &[2, 1, 1][..]));
        assert_eq!(plain.document(1), (&[][..], &[][..]));
    }

    /// Rare and ubiquitous words go, documents stay.
    #[test]
    fn words_of_few_or_all_documents_go() {
        let text = corpus(&[&["all", "two", "one"], &["all", "two"], &["all"]]);
        let pruning = Pruning {
            tokenise: false,
            min_documents: 2,
            max_share: 0.9,
        };
        let pruned = prune(&text, &pruning);
        assert_eq!(pruned.vocabulary.as_deref(), Some(&["two".into()][..]));
        assert_eq!(pruned.documents(), 3);
        assert_eq!(pruned.tokens(), 2);
    }

    /// The search among stop words relies on their order.
    #[test]
    fn stop_words_are_in_order() {
        assert!(STOP_WORDS.is_sorted());
    }
}
