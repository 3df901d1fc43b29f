# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The second largest eigenvalue that the maximal correlation coefficient asks for, by Lanczos' recursion.

Symbols, of one angle: P is symmetric, p its marginal, ``S(i, j) = P(i, j) / sqrt(p(i) p(j))`` and
``T(i, j) = S(i, j) / (1 + eps / (p(i) p(j)))``. Q is similar to T S, which but for eps is the square of S. S has the
eigenvalue 1 with the eigenvector sqrt(p): at right angles to it, the eigenvalue of largest absolute value is wanted,
and some twenty products with S give it, where all eigenvalues take as much time as some hundred. Most pairs of levels
do not occur: S is kept as the places and values of its entries.

References
----------
Lanczos 1950, doi:10.6028/jres.045.026; Parlett 1998, The symmetric eigenvalue problem, chapters 3 (Sturm) and 13 (Lanczos),
doi:10.1137/1.9781611971163; Li & Zeng 1994, the Laguerre iteration in solving the symmetric tridiagonal
eigenproblem, revisited, SIAM J Sci Comput 15:1145-1173.
"""

import numpy as np

from libc.math cimport NAN, cos, fabs, isnan, sqrt
from libc.stdint cimport int32_t


def second_eigenvalues(
    const double[:, :, :] P, double eps, double smallest, double smallest_gap, double largest_rest
):
    """Return the second largest eigenvalue of Q at each angle, NaN where all eigenvalues have to be looked at.

    Parameters
    ----------
    P : array of float64 of shape (levels, levels, angles)
        Symmetric at each angle.
    eps : float
        What the formula adds to a product of marginals.
    smallest : float
        A smaller eigenvalue is not sure enough.
    smallest_gap : float
        An eigenvalue nearer than this to another one is not told apart.
    largest_rest : float
        The most that what is beyond first order may be, as a part of the eigenvalue.

    Returns
    -------
    ndarray of float64 of shape (angles,)
    """
    cdef Py_ssize_t n_levels = P.shape[0], most = min(n_levels, MOST_STEPS), angle
    found = np.full(P.shape[2], np.nan)
    begins = np.empty(2 * n_levels + 1, dtype=np.int32)
    columns = np.empty(n_levels * n_levels, dtype=np.int32)
    values = np.empty(n_levels * n_levels)
    of_levels = np.empty((6, n_levels))
    basis = np.empty((MOST_BLOCKS + most + 1, n_levels))
    of_steps = np.empty((3, most))
    by_step = np.empty(5 * most)
    cdef double[::1] result = found
    cdef int32_t[::1] begin = begins
    cdef int32_t[::1] column = columns
    cdef double[::1] value = values
    cdef double[:, ::1] room = of_levels
    cdef double[:, ::1] base = basis
    cdef double[:, ::1] step = of_steps
    cdef double[::1] own_steps = by_step
    cdef Bounds bounds = Bounds(eps, smallest, smallest_gap, largest_rest)
    cdef Entries S = Entries(n_levels, &begin[0], &column[0], &value[0], &room[5, 0])
    cdef Rooms rooms = Rooms(
        &room[0, 0], &base[0, 0], &step[0, 0], &step[1, 0], &step[2, 0], &own_steps[0], &begin[n_levels + 1]
    )
    with nogil:
        for angle in range(P.shape[2]):
            _take_entries(P, angle, &S, &base[0, 0])
            result[angle] = _second_eigenvalue(&S, &bounds, &rooms)
    return found


cdef extern from *:
    """
    /* Past so many steps all eigenvalues are as quick. Before the first test there are as many as a small matrix has
       eigenvalues: it is gone through to its end, and equal ones show. */
    enum { MOST_STEPS = 160, FIRST_TEST = 16, MOST_BLOCKS = 32 };

    /* Of the recursion's matrix, whose norm is at most 1, less an eigenvalue: 0 but for rounding. */
    #define LEAST_PIVOT 1e-18
    /* Laguerre's steps; five are usual. What its value may be off before all eigenvalues are looked at. */
    enum { MOST_TURNS = 60 };
    #define SURE_OF 1e-10

    /* The entries of a symmetric matrix row by row, and one over the marginals. */
    typedef struct { Py_ssize_t n; int32_t *begin; int32_t *column; double *value; double *inverse; } Entries;
    typedef struct { double eps, smallest, gap, rest; } Bounds;
    /* Room for five vectors, for the basis, the recursion's constants and an eigenvector of its, five numbers a step, and a
       place a level. */
    typedef struct { double *levels, *basis, *alpha, *beta, *vector, *steps; int32_t *parent; } Rooms;
    """
    const int MOST_STEPS
    const int FIRST_TEST
    const int MOST_BLOCKS
    const double LEAST_PIVOT
    const int MOST_TURNS
    const double SURE_OF
    ctypedef struct Entries:
        Py_ssize_t n
        int32_t *begin
        int32_t *column
        double *value
        double *inverse
    ctypedef struct Bounds:
        double eps
        double smallest
        double gap
        double rest
    ctypedef struct Rooms:
        double *levels
        double *basis
        double *alpha
        double *beta
        double *vector
        double *steps
        int32_t *parent


cdef void _take_entries(const double[:, :, :] P, Py_ssize_t angle, Entries *S, double *root) noexcept nogil:
    """Fill S from one angle's P, and its eigenvector of 1, the roots of the marginals."""
    cdef Py_ssize_t i, j, at = 0
    cdef double share, total
    for i in range(S.n):
        S.begin[i] = <int32_t>at
        total = 0
        for j in range(S.n):
            share = P[i, j, angle]
            if share != 0:
                S.column[at] = <int32_t>j
                S.value[at] = share
                total += share
                at += 1
        root[i] = sqrt(total)
        S.inverse[i] = 1 / total if total > 0 else 0
    S.begin[S.n] = <int32_t>at
    for i in range(S.n):
        for at in range(S.begin[i], S.begin[i + 1]):
            S.value[at] = S.value[at] / (root[i] * root[S.column[at]])


cdef double _second_eigenvalue(const Entries *S, const Bounds *bounds, const Rooms *rooms) noexcept nogil:
    """Return the second largest eigenvalue of Q, NaN where it is not sure."""
    cdef Py_ssize_t n = S.n, n_blocks = 1, at, i
    cdef double *v = rooms.levels
    cdef double largest, second, moved, most = 0, found = 0
    if not _eigenvalues_beside(S, rooms, n_blocks, &largest, &second):
        return NAN
    if largest >= 1 - bounds.gap:
        # Levels that have no pair with the others, not by one level between either, make an eigenvalue 1 each.
        n_blocks = _blocks(S, rooms)
        if n_blocks == 0 or not _eigenvalues_beside(S, rooms, n_blocks, &largest, &second):
            return NAN
    if largest >= 1 - bounds.gap:
        return NAN
    if n_blocks == 1:
        if largest <= bounds.smallest or largest - second <= bounds.gap:
            return NAN
        return _moved_by_eps(S, bounds, v, largest, min(1 - largest, largest - second), second)
    for at in range(n_blocks):
        for i in range(n):
            v[i] = rooms.basis[at * n + i]
        # Levels whose pairs weigh less than eps: what they make an eigenvalue of may fall behind the others.
        moved = _moved_by_eps(S, bounds, v, 1, 1 - largest, largest)
        if isnan(moved):
            return NAN
        if moved > most:
            found = most
            most = moved
        elif moved > found:
            found = moved
    return found


cdef Py_ssize_t _blocks(const Entries *S, const Rooms *rooms) noexcept nogil:
    """Put the eigenvectors of 1 first in the basis, and return how many there are; 0 where there are too many.

    Q has a block for the levels that a neighbour in common joins, and one largest eigenvalue a block.
    """
    cdef Py_ssize_t n = S.n, n_blocks = 0, i, at
    cdef int32_t first, other
    cdef int32_t *parent = rooms.parent
    cdef double *root = rooms.levels
    cdef double *v
    for i in range(n):
        parent[i] = <int32_t>i
        root[i] = sqrt(1 / S.inverse[i]) if S.inverse[i] > 0 else 0
    for i in range(n):
        for at in range(S.begin[i], S.begin[i + 1]):
            first = _first_of_block(parent, S.column[S.begin[i]])
            other = _first_of_block(parent, S.column[at])
            if other < first:
                parent[first] = other
            else:
                parent[other] = first
    for i in range(n):
        if parent[i] == i and S.inverse[i] > 0:
            if n_blocks == MOST_BLOCKS:
                return 0
            v = rooms.basis + n_blocks * n
            for at in range(n):
                v[at] = root[at] if _first_of_block(parent, <int32_t>at) == i else 0
            _make_unit(v, n)
            n_blocks += 1
    return n_blocks


cdef inline int32_t _first_of_block(int32_t *parent, int32_t level) noexcept nogil:
    while parent[level] != level:
        parent[level] = parent[parent[level]]
        level = parent[level]
    return level


cdef bint _eigenvalues_beside(
    const Entries *S, const Rooms *rooms, Py_ssize_t n_fixed, double *largest, double *second
) noexcept nogil:
    """Find the two largest squares of eigenvalues of S at right angles to the first vectors of the basis.

    Leaves the eigenvector of the largest in ``rooms.levels``. False where the recursion takes too many steps.
    """
    cdef Py_ssize_t n = S.n, n_left = -n_fixed, k = 0, next_test, i
    cdef bint is_whole = False
    cdef double *alpha = rooms.alpha
    cdef double *beta = rooms.beta
    cdef double *first = rooms.basis + n_fixed * n
    cdef double *q = first
    cdef double *w
    cdef double lowest = 0, highest = 0, chosen, other, beside
    largest[0] = second[0] = 0
    for i in range(n):
        n_left += S.inverse[i] > 0
    if n_left < 1:
        return True
    next_test = min(<Py_ssize_t>FIRST_TEST, n_left)
    if not _lean_on_all(S, rooms.basis, q, n_fixed):
        return False
    while True:
        w = q + n
        _multiply(S, q, w)
        alpha[k] = _product(q, w, n)
        # Against all vectors before: without it, rounding would show an eigenvalue twice.
        _turn_away(w, rooms.basis, n_fixed + k + 1, n)
        beta[k] = sqrt(_product(w, w, n))
        k += 1
        if k == next_test:
            if not _find_ends(alpha, beta, k, &lowest, &highest):
                return False
            if highest < -lowest:
                chosen, other = lowest, highest
            else:
                chosen, other = highest, lowest
            if k == n_left or (not is_whole and _is_settled(alpha, beta, k, chosen, other, rooms)):
                break
            if k == MOST_STEPS:
                return False
            next_test = min(k + max(<Py_ssize_t>4, k // 4), n_left, <Py_ssize_t>MOST_STEPS)
        if beta[k - 1] < 1e-8:
            # Some eigenvalues are equal: only all steps show how many.
            if n_left > MOST_STEPS or not _lean_on_all(S, rooms.basis, w, n_fixed + k):
                return False
            is_whole, next_test, beta[k - 1] = True, n_left, 0
        else:
            for i in range(n):
                w[i] /= beta[k - 1]
        q = w
    largest[0] = chosen * chosen
    if k > 1:
        beside = _next_to(alpha, beta, k, chosen, fabs(other))
        second[0] = beside * beside
    _take_eigenvector(alpha, beta, chosen, k, rooms.steps, rooms.vector)
    for i in range(n):
        rooms.levels[i] = 0
    for i in range(k):
        _add(rooms.levels, rooms.vector[i], first + i * n, n)
    return True


cdef void _take_eigenvector(
    const double *alpha, const double *beta, double value, Py_ssize_t k, double *room, double *x
) noexcept nogil:
    """Make x the eigenvector of an eigenvalue of the recursion's matrix, by inverse iteration.

    The eigenvalue is known but for rounding: a step or two find the vector. Rows are exchanged for the larger pivot;
    ``room`` has the factors, five numbers a row. Whether the vector is good enough shows where it is used.
    """
    cdef double *pivot = room
    cdef double *right = room + k
    cdef double *far_right = room + 2 * k
    cdef double *factor = room + 3 * k
    cdef double *exchanged = room + 4 * k
    cdef double here = alpha[0] - value, beside = beta[0] if k > 1 else 0, below, diagonal, ahead
    cdef Py_ssize_t i
    cdef int turn
    for i in range(k - 1):
        below = beta[i]
        diagonal = alpha[i + 1] - value
        ahead = beta[i + 1] if i + 2 < k else 0
        exchanged[i] = fabs(below) > fabs(here)
        if exchanged[i]:
            pivot[i], right[i], far_right[i], factor[i] = below, diagonal, ahead, here / below
            here = beside - factor[i] * diagonal
            beside = -factor[i] * ahead
        else:
            pivot[i], right[i], far_right[i] = here if here != 0 else LEAST_PIVOT, beside, 0
            factor[i] = below / pivot[i]
            here = diagonal - factor[i] * beside
            beside = ahead
    pivot[k - 1] = here if fabs(here) > LEAST_PIVOT else LEAST_PIVOT
    right[k - 1] = far_right[k - 1] = 0
    for i in range(k):
        x[i] = 1
    for turn in range(3):
        # The first time as if the rows had been combined: any vector will do.
        if turn > 0:
            for i in range(k - 1):
                if exchanged[i]:
                    here = x[i]
                    x[i] = x[i + 1]
                    x[i + 1] = here - factor[i] * x[i]
                else:
                    x[i + 1] -= factor[i] * x[i]
        for i in range(k - 1, -1, -1):
            if i + 1 < k:
                x[i] -= right[i] * x[i + 1]
            if i + 2 < k:
                x[i] -= far_right[i] * x[i + 2]
            x[i] /= pivot[i]
        _make_unit(x, k)


cdef bint _is_settled(
    const double *alpha, const double *beta, Py_ssize_t k, double chosen, double other, const Rooms *rooms
) noexcept nogil:
    """Return whether the value of largest size is an eigenvalue, and none at the other end can become larger.

    The last entry of an eigenvector of the recursion, times beta, is what its value is off at most. An eigenvalue has all
    of its digits where its vector has half of them.
    """
    cdef double size = fabs(chosen), off
    _take_eigenvector(alpha, beta, chosen, k, rooms.steps, rooms.vector)
    if not beta[k - 1] * fabs(rooms.vector[k - 1]) < 1e-8 * size:
        return False
    # The two ends settle each for itself, one much later than the other.
    _take_eigenvector(alpha, beta, other, k, rooms.steps, rooms.vector)
    off = beta[k - 1] * fabs(rooms.vector[k - 1])
    return off < 1e-8 * size or fabs(other) + 10 * off < size


cdef bint _find_ends(
    const double *alpha, const double *beta, Py_ssize_t k, double *lowest, double *highest
) noexcept nogil:
    """Find the lowest and the highest eigenvalue of the recursion's matrix; False where one is not sure."""
    highest[0] = _highest(alpha, beta, k, 1)
    lowest[0] = -_highest(alpha, beta, k, -1)
    return not (isnan(highest[0]) or isnan(lowest[0]))


cdef double _highest(const double *alpha, const double *beta, Py_ssize_t k, double sign) noexcept nogil:
    """Return the highest eigenvalue of the recursion's matrix times ``sign``, NaN where it is not sure.

    Laguerre's iteration from above all eigenvalues comes down to the highest one and threefold as near with each step.
    Of the characteristic polynomial p it takes ``p' / p`` and ``p'' / p``, by the recurrences of Li and Zeng.
    """
    cdef double x = 1 + 1e-9, step, pivot, before, first, first_before, second, second_before, held, root
    cdef Py_ssize_t i
    cdef int turn
    for turn in range(MOST_TURNS):
        pivot = sign * alpha[0] - x
        if pivot == 0:
            pivot = -LEAST_PIVOT
        first, first_before = 1 / pivot, 0
        second = second_before = 0
        for i in range(1, k):
            before = beta[i - 1] * beta[i - 1] / pivot
            held = sign * alpha[i] - x
            pivot = held - before
            if pivot == 0:
                pivot = -LEAST_PIVOT
            root = 1 / pivot
            step = (held * second + 2 * first - before * second_before) * root
            second_before, second = second, step
            step = (held * first + 1 - before * first_before) * root
            first_before, first = first, step
        # Below zero above all eigenvalues: else x is at the highest, but for rounding.
        if not first < 0:
            break
        root = (k - 1) * ((k - 1) * first * first - k * second)
        step = k / (first - sqrt(root if root > 0 else 0))
        x += step
        if not fabs(step) > 1e-11:
            break
    if (
        isnan(x)
        or _n_above(alpha, beta, k, sign, x + SURE_OF) != 0
        or _n_above(alpha, beta, k, sign, x - SURE_OF) == 0
    ):
        return NAN
    return x


cdef Py_ssize_t _n_above(
    const double *alpha, const double *beta, Py_ssize_t k, double sign, double x
) noexcept nogil:
    """Return how many eigenvalues of the recursion's matrix times ``sign`` are larger than x (Sturm's sequence)."""
    cdef Py_ssize_t i, found = 0
    cdef double pivot = 1
    for i in range(k):
        pivot = sign * alpha[i] - x - (beta[i - 1] * beta[i - 1] / pivot if i > 0 else 0)
        if pivot == 0:
            pivot = -LEAST_PIVOT
        found += pivot > 0
    return found


cdef double _next_to(
    const double *alpha, const double *beta, Py_ssize_t k, double chosen, double other
) noexcept nogil:
    """Return the size of the eigenvalue next in size to the chosen one, or a little more, given that at the other end."""
    cdef double sign = 1 if chosen > 0 else -1, size = fabs(chosen), low = other, high = fabs(chosen), middle
    if _n_above(alpha, beta, k, sign, low) < 2:
        return low
    while high - low > max(0.01 * (size - high), 1e-10):
        middle = (low + high) / 2
        if _n_above(alpha, beta, k, sign, middle) < 2:
            high = middle
        else:
            low = middle
    return high


cdef bint _lean_on_all(const Entries *S, const double *basis, double *q, Py_ssize_t n_before) noexcept nogil:
    """Make a unit vector that leans on every level, at right angles to those before; False where none is found."""
    cdef Py_ssize_t n = S.n, i
    for i in range(n):
        q[i] = cos((i + 0.5) * n_before) if S.inverse[i] > 0 else 0
    _turn_away(q, basis, n_before, n)
    if _make_unit(q, n) < 1e-3:
        return False
    _turn_away(q, basis, n_before, n)
    _make_unit(q, n)
    return True


cdef double _moved_by_eps(
    const Entries *S, const Bounds *bounds, double *room, double size, double gap, double next_one
) noexcept nogil:
    """Return the eigenvalue of Q that an eigenvector of S has, NaN where the first order is not enough.

    Q leads out of the eigenvector's direction, by what eps does and by what the vector is off, and back by as little:
    over the gap to the other eigenvalues, the product is what the value misses.
    """
    cdef Py_ssize_t n = S.n, i
    cdef double *v = room
    cdef double *Sv = room + n
    cdef double *TSv = room + 2 * n
    cdef double *Tv = room + 3 * n
    cdef double *STv = room + 4 * n
    cdef double moved, out = 0, back = 0
    _make_unit(v, n)
    _multiply(S, v, Sv)
    _multiply_with_eps(S, bounds.eps, v, Tv, Sv, TSv)
    _multiply(S, Tv, STv)
    moved = _product(v, TSv, n)
    for i in range(n):
        out += (TSv[i] - moved * v[i]) * (TSv[i] - moved * v[i])
        back += (STv[i] - moved * v[i]) * (STv[i] - moved * v[i])
    # Moved so far that the next one is larger: another way is needed.
    if moved > next_one and sqrt(out) * sqrt(back) / gap < bounds.rest * size:
        return moved
    return NAN


cdef inline double _make_unit(double *v, Py_ssize_t n) noexcept nogil:
    """Divide a vector by its length, and return that."""
    cdef Py_ssize_t i
    cdef double length = sqrt(_product(v, v, n))
    for i in range(n):
        v[i] /= length
    return length


cdef inline double _product(const double *x, const double *y, Py_ssize_t n) noexcept nogil:
    cdef double a = 0, b = 0, c = 0, d = 0
    cdef Py_ssize_t i = 0
    while i + 4 <= n:
        a += x[i] * y[i]
        b += x[i + 1] * y[i + 1]
        c += x[i + 2] * y[i + 2]
        d += x[i + 3] * y[i + 3]
        i += 4
    while i < n:
        a += x[i] * y[i]
        i += 1
    return (a + b) + (c + d)


cdef inline void _add(double *y, double times, const double *x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        y[i] += times * x[i]


cdef void _turn_away(double *w, const double *basis, Py_ssize_t n_vectors, Py_ssize_t n) noexcept nogil:
    """Take from w its part along each vector, the last one first."""
    cdef Py_ssize_t at
    for at in range(n_vectors - 1, -1, -1):
        _add(w, -_product(w, basis + at * n, n), basis + at * n, n)


cdef void _multiply(const Entries *S, const double *x, double *y) noexcept nogil:
    cdef Py_ssize_t i, at, end
    cdef double a, b, c, d
    for i in range(S.n):
        at, end = S.begin[i], S.begin[i + 1]
        a = b = c = d = 0
        while at + 4 <= end:
            a += S.value[at] * x[S.column[at]]
            b += S.value[at + 1] * x[S.column[at + 1]]
            c += S.value[at + 2] * x[S.column[at + 2]]
            d += S.value[at + 3] * x[S.column[at + 3]]
            at += 4
        while at < end:
            a += S.value[at] * x[S.column[at]]
            at += 1
        y[i] = (a + b) + (c + d)


cdef void _multiply_with_eps(
    const Entries *S, double eps, const double *x, double *Tx, const double *y, double *Ty
) noexcept nogil:
    """Make the products of T with two vectors."""
    cdef Py_ssize_t i, at
    cdef double entry, of_x, of_y
    for i in range(S.n):
        of_x = of_y = 0
        for at in range(S.begin[i], S.begin[i + 1]):
            entry = S.value[at] / (1 + eps * S.inverse[i] * S.inverse[S.column[at]])
            of_x += entry * x[S.column[at]]
            of_y += entry * y[S.column[at]]
        Tx[i] = of_x
        Ty[i] = of_y
