from __future__ import annotations

import threading

from focusviewer.core.caches import LockedLRUCache


def test_a_value_that_is_replaced_counts_once_and_as_just_used() -> None:
    cache: LockedLRUCache[str, bytes] = LockedLRUCache(10, len)
    for key, size in (("a", 4), ("b", 4), ("a", 6)):
        cache.put(key, b"x" * size)
    assert cache.size == 10
    cache.put("c", b"xx")
    assert "a" in cache and "b" not in cache and cache.size == 8


def test_a_value_larger_than_the_bound_is_not_kept_and_takes_the_old_one_along() -> None:
    cache: LockedLRUCache[str, bytes] = LockedLRUCache(10, len)
    cache.put("a", b"xxx")
    cache.put("b", b"xxx")
    cache.put("a", b"x" * 11)
    assert cache.get("a") is None and cache.get("b") == b"xxx" and cache.size == 3


def test_a_smaller_bound_drops_what_was_not_used_for_longest() -> None:
    cache: LockedLRUCache[int, int] = LockedLRUCache(4)
    for key in range(4):
        cache.put(key, -key)
    cache.get(0)
    cache.resize(2)
    assert [key for key in range(4) if key in cache] == [0, 3]
    cache.resize(3)
    cache.put(5, 5)
    assert len(cache) == 3


def test_many_threads_never_pass_the_bound() -> None:
    cache: LockedLRUCache[int, bytes] = LockedLRUCache(1000, len)
    sizes: list[int] = []

    def work(seed: int) -> None:
        for step in range(2000):
            cache.put((seed * step) % 37, b"x" * (step % 60))
            cache.get(step % 37)
            sizes.append(cache.size)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sizes) == 8000 and max(sizes) <= 1000
