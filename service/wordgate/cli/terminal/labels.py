"""Labels and units of figures in terminal tables; JSON output keeps the short names."""

_AFTER_LETTERS = ("before the first letter", "after 1 letter", "after 2 letters", "after 3 letters")

HEADINGS = {"top1": _AFTER_LETTERS, "top3": _AFTER_LETTERS}
"""Labels of list values, by figure."""

_SPEED = "candidates/s"

LABELS: dict[str, tuple[str, str]] = {
    # evaluate
    "word_perplexity": ("perplexity per word", ""),
    "token_perplexity": ("perplexity per token", ""),
    "character_perplexity": ("perplexity per character", ""),
    "bits_per_byte": ("bits per byte", "bits"),
    "top1": ("next word was the first suggestion", "%"),
    "top3": ("next word was among the first three", "%"),
    "tokens": ("tokens, including end-of-text", ""),
    "keystroke_savings": ("keystroke savings", "%"),
    "keystroke_savings_case_insensitive": ("keystroke savings, ignoring case", "%"),
    "recall": ("words suggested, ignoring case", "%"),
    "before_first_letter": ("words accepted before the first letter", "%"),
    "put_right": ("typos fixed by the first correction", "%"),
    "offered_first_three": ("typos fixed by one of the first three", "%"),
    "spoilt": ("false corrections of correct words", "%"),
    "questions": ("questions", ""),
    "right": ("good word more likely than the bad one", ""),
    "wrong": ("wrong", ""),
    "accuracy": ("good sentence more likely", "%"),
    "held_out_token_perplexity": ("perplexity per token, held-out text", ""),
    "int8_perplexity_ratio": ("perplexity of int8, relative to float32", "×"),
    "float32_largest_difference": ("largest difference from PyTorch", "nats"),
    "checked_tokens": ("tokens compared with PyTorch", ""),
    "checked_pieces": ("tokens compared with PyTorch", ""),  # in models published before
    "groups": ("by group", "%"),
    "pairs": ("pairs", ""),
    # bench: settings
    "batch": ("batch size", ""),
    "length": ("sequence length", "tokens"),
    "layers": ("layers", ""),
    "width": ("layer width", ""),
    "vocabulary": ("vocabulary", "tokens"),
    "cutoffs": ("cutoffs of the adaptive softmax", "tokens"),
    "threads": ("threads", ""),
    "products": ("matrix products", ""),
    "plain_loop_products": ("matrix products of the plain loop", ""),
    "torch": ("PyTorch", ""),
    "engine_threads": ("engine threads", ""),
    "in_flight": ("requests in flight", ""),
    "inter_key_ms": ("time between keys, median", "ms"),
    "seconds": ("duration of a phase", "s"),
    "max_suggestions": ("suggestions", ""),
    "load_factor": ("offered load, relative to capacity", "×"),
    "workers": ("server processes", ""),
    # bench train
    "tokens_per_second": ("training step", "tokens/s"),
    "plain_loop_tokens_per_second": ("plain PyTorch loop, full softmax", "tokens/s"),
    "ratio": ("speedup of the training step over the plain loop", "×"),
    # bench model
    "rows_per_second": ("throughput of each graph, by batch size", "rows/s"),
    "predict_p50_ms": ("prediction, median", "ms"),
    "predict_p99_ms": ("prediction, 99th percentile", "ms"),
    "rows_per_search": ("output rows per prediction", ""),
    "predictions": ("predictions timed", ""),
    # bench score
    "candidates_per_second": ("in this process", _SPEED),
    "server_candidates_per_second": ("through a server", _SPEED),
    "one_thread_candidates_per_second": ("in this process, one inference at a time", _SPEED),
    "padded_batch_candidates_per_second": ("padded float32 batch", _SPEED),
    "one_by_one_candidates_per_second": ("one candidate at a time", _SPEED),
    "matmul_limit_candidates_per_second": ("matrix products only", _SPEED),
    "speedup_over_padded_batch": ("speedup over the padded batch", "×"),
    "speedup_over_one_by_one": ("speedup over one at a time", "×"),
    "fraction_of_matmul_limit": ("share of the speed of the matrix products", "%"),
    "server_share_of_engine": ("speed through a server, relative to in-process", "%"),
    "sharing": ("steps saved by shared prefixes", "%"),
    "rows": ("model rows", "rows"),
    # bench type
    "p50_ms": ("median", "ms"),
    "p99_ms": ("99th percentile", "ms"),
    "max_ms": ("slowest", "ms"),
    "keys_per_second": ("maximum throughput", "keys/s"),
    "p50_ms_under_scoring": ("median during scoring", "ms"),
    "p99_ms_under_scoring": ("99th percentile during scoring", "ms"),
    "steps_per_key": ("model steps per key", ""),
    "keys": ("keys at human typing speed", ""),
    "keys_under_scoring": ("keys during scoring", ""),
    "candidates_per_second_under_scoring": ("candidates scored meanwhile", _SPEED),
    "closed_loop_p50_ms": ("median at maximum throughput", "ms"),
    "closed_loop_server_ms_per_key": ("server CPU time per key", "ms"),
    "closed_loop_client_ms_per_key": ("client CPU time per key", "ms"),
    # bench http
    "session": ("typing session over gRPC", ""),
    "unary": ("Predict over gRPC", ""),
    "http": ("Predict over HTTP, JSON", ""),
    # bench overload
    "unloaded": ("unloaded, one request at a time", ""),
    "carried_per_second": ("requests answered at full load", "/s"),
    "offered_per_second": ("requests offered during overload", "/s"),
    "accepted_per_second": ("requests answered during overload", "/s"),
    "accepted": ("requests accepted during overload", ""),
    "rejected": ("requests rejected during overload", ""),
    "p99_ratio": ("99th percentile during overload, relative to unloaded", "×"),
    "afterwards": ("after the overload, one request at a time", ""),
    "first_afterwards_ms": ("first answer after the overload", "ms"),
    "rejected_afterwards": ("requests rejected after the overload", ""),
    "resident_megabytes": ("resident memory of the server", "MB"),
    "rejected_share": ("rejected", "%"),
    "small_alone": ("small requests alone", ""),
    "small_beside_large": ("small requests alongside large ones", ""),
    "equal_callers": ("equal clients", ""),
    "large_callers": ("clients with large requests", ""),
    "large_candidates": ("candidates per large request", ""),
    "small_candidates": ("candidates per small request", ""),
    "callers_of_equal": ("number of equal clients", ""),
    "candidates_of_equal": ("candidates per request of equal clients", ""),
    # bench isolation
    "worst": ("worst of all loads", ""),
    "outcomes": ("calls by outcome", ""),
    "legal": ("alongside expensive valid requests", ""),
    "growth_megabytes": ("growth of resident memory", "MB"),
    "legal_p99_ms": ("alongside valid requests, 99th percentile", "ms"),
    "rejected_p99_ms": ("alongside rejected requests, 99th percentile", "ms"),
    "alone": ("other client alone", ""),
    "beside": ("other client alongside this load", ""),
    "outcome_calls": ("calls per outcome", ""),
    # bench sessions
    "kb_per_session": ("memory of an idle session", "KiB"),
    "kb_per_bare_stream": ("memory of a bare gRPC stream", "KiB"),
    "kb_beside_bare_stream": ("session overhead over a bare stream", "KiB"),
    "keys_in_each": ("keys in each session, or each way", ""),
    # bench restart
    "kill_to_answer_seconds": ("from kill to first answer", "s"),
    "start_to_answer_seconds": ("from start to first answer", "s"),
    "start_to_ready_seconds": ("from start to readiness", "s"),
    "parts_seconds": ("phases of a start, medians", "s"),
    "lower": ("lower quartile", ""),
    "upper": ("upper quartile", ""),
}


def label_of(name: str, unit: str = "") -> tuple[str, str]:
    """Return the label and the unit of a figure such as `rows` or `chat.top1`.

    `unit` is the default for figures without a unit of their own.
    """
    if name.isdecimal():
        return ("1 row" if name == "1" else f"{name} rows"), unit
    group, _, last = name.rpartition(".")
    label, own = LABELS.get(last, (last.replace("_", " "), ""))
    if group == "questions":
        own = ""  # counts, not percentages
    shown = group.replace("_", " ").replace(".", ", ")
    return (f"{shown}: {label}" if group else label), own or unit
