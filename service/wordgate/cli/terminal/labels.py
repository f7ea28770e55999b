"""What figures are called in tables for people, and their units; JSON keeps the short names."""

_AFTER_LETTERS = ("before the first letter", "after 1 letter", "after 2 letters", "after 3 letters")

HEADINGS = {"top1": _AFTER_LETTERS, "top3": _AFTER_LETTERS}
"""Labels of the values of a list."""

_SPEED = "candidates/s"

LABELS: dict[str, tuple[str, str]] = {
    # evaluate
    "word_perplexity": ("perplexity per word", ""),
    "token_perplexity": ("perplexity per piece", ""),
    "character_perplexity": ("perplexity per character", ""),
    "bits_per_byte": ("bits per byte", "bits"),
    "top1": ("next word was the first suggestion", "%"),
    "top3": ("next word was among the first three", "%"),
    "tokens": ("pieces, ends of texts included", ""),
    "keystroke_savings": ("keystroke savings", "%"),
    "keystroke_savings_case_insensitive": ("keystroke savings, any case", "%"),
    "recall": ("words suggested, any case", "%"),
    "before_first_letter": ("words taken before their first letter", "%"),
    "put_right": ("typos put right by the first correction", "%"),
    "offered_first_three": ("typos put right by one of the first three", "%"),
    "spoilt": ("right words changed", "%"),
    "questions": ("questions", ""),
    "right": ("good word likelier than the bad one", ""),
    "wrong": ("wrong", ""),
    "accuracy": ("good sentence likelier", "%"),
    "held_out_token_perplexity": ("perplexity per piece, held-out text", ""),
    "int8_perplexity_ratio": ("perplexity of int8, of that of float32", "×"),
    "float32_largest_difference": ("largest difference from PyTorch", "nats"),
    "checked_pieces": ("pieces compared with PyTorch", ""),
    "groups": ("by group", "%"),
    "pairs": ("pairs", ""),
    # bench: settings
    "batch": ("columns side by side", ""),
    "length": ("pieces of a column", ""),
    "layers": ("layers", ""),
    "width": ("width of a layer", ""),
    "vocabulary": ("vocabulary", "pieces"),
    "cuts": ("ends of the output's levels", "pieces"),
    "threads": ("threads", ""),
    "products": ("matrix products", ""),
    "plain_loop_products": ("matrix products of the plain loop", ""),
    "torch": ("PyTorch", ""),
    "calls": ("model calls at once", ""),
    "under_way": ("requests in flight", ""),
    "gap_ms": ("time between keys, median", "ms"),
    "seconds": ("length of a phase", "s"),
    "max_suggestions": ("suggestions", ""),
    "times": ("offered load, of what the server carries", "×"),
    "wanted": ("best transcripts wanted", ""),
    "workers": ("server processes", ""),
    # bench train
    "tokens_per_second": ("training step", "pieces/s"),
    "plain_loop_tokens_per_second": ("plain PyTorch loop, full softmax", "pieces/s"),
    "ratio": ("training step against the plain loop", "×"),
    # bench model
    "rows_per_second": ("speed of each graph, by rows in a call", "rows/s"),
    "predict_p50_ms": ("prediction, median", "ms"),
    "predict_p99_ms": ("prediction, 99th percentile", "ms"),
    "rows_per_search": ("output rows per prediction", ""),
    "predictions": ("predictions timed", ""),
    # bench score, rescore
    "candidates_per_second": ("in this process", _SPEED),
    "candidates_per_second_best": ("in this process, the best alone", _SPEED),
    "server_candidates_per_second": ("through a server", _SPEED),
    "one_call_candidates_per_second": ("in this process, one call at a time", _SPEED),
    "padded_batch_candidates_per_second": ("padded float32 batch", _SPEED),
    "one_by_one_candidates_per_second": ("one candidate after the other", _SPEED),
    "matmul_limit_candidates_per_second": ("matrix products alone", _SPEED),
    "speedup_over_padded_batch": ("against the padded batch", "×"),
    "speedup_over_one_by_one": ("against one by one", "×"),
    "fraction_of_matmul_limit": ("of the speed of the matrix products", "%"),
    "server_share_of_engine": ("speed through a server, of that here", "%"),
    "sharing": ("steps saved by common beginnings", "%"),
    "speedup": ("speed, the best alone against all", "×"),
    "cpu_speedup": ("processor time, all against the best alone", "×"),
    "rows": ("model rows", "rows"),
    "rows_share": ("model rows for the best alone, of those for all", "%"),
    # bench type
    "p50_ms": ("median", "ms"),
    "p99_ms": ("99th percentile", "ms"),
    "max_ms": ("slowest", "ms"),
    "keys_per_second": ("flat out", "keys/s"),
    "p50_ms_under_scoring": ("median beside scoring", "ms"),
    "p99_ms_under_scoring": ("99th percentile beside scoring", "ms"),
    "steps_per_key": ("model steps per key", ""),
    "keys": ("keys at a person's speed", ""),
    "keys_under_scoring": ("keys beside scoring", ""),
    "candidates_per_second_under_scoring": ("scored meanwhile", _SPEED),
    "flat_out_p50_ms": ("median flat out", "ms"),
    "flat_out_server_ms_per_key": ("processor time of the server, per key", "ms"),
    "flat_out_client_ms_per_key": ("processor time of the typists, per key", "ms"),
    # bench overload
    "unloaded": ("one request after the other", ""),
    "carried_per_second": ("requests answered at full load", "/s"),
    "offered_per_second": ("requests offered in overload", "/s"),
    "accepted_per_second": ("requests answered in overload", "/s"),
    "accepted": ("answers in overload", ""),
    "refused": ("refusals in overload", ""),
    "p99_ratio": ("99th percentile in overload, against unloaded", "×"),
    "afterwards": ("one after the other, afterwards", ""),
    "first_afterwards_ms": ("first answer afterwards", "ms"),
    "refused_afterwards": ("requests refused afterwards", ""),
    "resident_megabytes": ("resident memory of the server", "MB"),
    "refused_share": ("refused", "%"),
    "small_alone": ("small requests alone", ""),
    "small_beside_large": ("small requests beside large ones", ""),
    "equal_callers": ("equal callers", ""),
    "large_callers": ("callers of large requests", ""),
    "large_candidates": ("candidates of a large request", ""),
    "small_candidates": ("candidates of a small request", ""),
    "callers_of_equal": ("equal callers, number", ""),
    "candidates_of_equal": ("candidates of their requests", ""),
    # bench isolation
    "worst": ("worst of all loads", ""),
    "outcomes": ("calls by how they end", ""),
    "legal": ("beside expensive legal requests", ""),
    "growth_megabytes": ("growth of resident memory", "MB"),
    "legal_p99_ms": ("beside legal requests, 99th percentile", "ms"),
    "refused_p99_ms": ("beside refused requests, 99th percentile", "ms"),
    "alone": ("other caller alone", ""),
    "beside": ("other caller beside this load", ""),
    "outcome_calls": ("calls of each outcome", ""),
    # bench sessions
    "kb_per_session": ("memory of an idle session", "KiB"),
    "kb_per_bare_stream": ("memory of a bare gRPC stream", "KiB"),
    "kb_beside_bare_stream": ("the session beyond the stream", "KiB"),
    "keys_in_each": ("keys typed in each session", ""),
    # bench restart
    "kill_to_answer_seconds": ("from the kill to the first answer", "s"),
    "start_to_answer_seconds": ("from the start to the first answer", "s"),
    "start_to_ready_seconds": ("from the start to readiness", "s"),
    "parts_seconds": ("parts of a start, medians", "s"),
    "lower": ("lower quartile", ""),
    "upper": ("upper quartile", ""),
}


def label_of(name: str, unit: str = "") -> tuple[str, str]:
    """Return the label and the unit of a figure, as `rows` or `chat.top1`.

    A figure without a unit of its own has `unit`.
    """
    if name.isdecimal():
        return ("1 row" if name == "1" else f"{name} rows"), unit
    group, _, last = name.rpartition(".")
    label, own = LABELS.get(last, (last.replace("_", " "), ""))
    if group == "questions":
        own = ""  # these are counts
    shown = group.replace("_", " ").replace(".", ", ")
    return (f"{shown}: {label}" if group else label), own or unit
