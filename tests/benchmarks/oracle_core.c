/* The compiled oracle's algorithm in C, to measure the compiled method against: the same steps as
 * lrmp/solvers/replication/compiled.py, which explains them. Built with cc when benchmarks run. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

typedef int64_t i64;
#define EXACT 2305843009213693952.0 /* 2^61 */
#define FEW_STEPS 24
#define FIRST_STATES 512
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
enum { SOLVED, TOO_LARGE };

static double break_slope(const double *slopes, const i64 *w, i64 count, i64 room) {
    double steep = INFINITY, flat = 0, x_steep = 0, x_flat = INFINITY, slope = 0;
    i64 at_steep = 0, at_flat = 0, above = 0, below = count;
    for (i64 step = 0; step < count; step++)
        at_flat += w[step], slope = MAX(slope, slopes[step]);
    slope /= 64;
    for (int turn = 0; turn < 64 && below - above > FEW_STEPS; turn++) {
        i64 weight = 0, steps = 0;
        for (i64 step = 0; step < count; step++) {
            weight += slopes[step] > slope ? w[step] : 0;
            steps += slopes[step] > slope;
        }
        double x = 1 / sqrt(slope);
        if (weight <= room)
            steep = slope, at_steep = weight, x_steep = x, above = steps;
        else
            flat = slope, at_flat = weight, x_flat = x, below = steps;
        if (flat == 0)
            slope = steep / 16;
        else if (turn % 3 == 2)
            slope = sqrt(MIN(steep, flat * 1e9)) * sqrt(flat);
        else {
            double share = ((double)(room - at_steep) + 0.5) / (double)(at_flat - at_steep);
            x = x_steep + (x_flat - x_steep) * MIN(MAX(share, 0.02), 0.98);
            slope = 1 / (x * x);
        }
        if (!(flat < slope && slope < steep)) {
            slope = flat + (steep - flat) / 2;
            if (!(flat < slope && slope < steep))
                break;
        }
    }
    double *between = malloc((below - above) * sizeof(double));
    i64 *weights = malloc((below - above) * sizeof(i64)), number = 0;
    room -= at_steep;
    for (i64 step = 0; step < count; step++)
        if (flat < slopes[step] && slopes[step] <= steep) {
            i64 at = number++;
            for (; at > 0 && between[at - 1] < slopes[step]; at--)
                between[at] = between[at - 1], weights[at] = weights[at - 1];
            between[at] = slopes[step], weights[at] = w[step];
        }
    double found = flat;
    for (i64 at = 0; at < number; at++)
        if ((room -= weights[at]) < 0) {
            found = between[at];
            break;
        }
    free(between), free(weights);
    return found;
}

static i64 improved(i64 count, const i64 *start, const i64 *weights, const i64 *costs, i64 *chosen,
                    i64 left) {
    i64 saved = 0;
    for (;;) {
        i64 best = 0, best_block = -1, best_option = -1;
        for (i64 block = 0; block < count; block++) {
            i64 option = chosen[block], most = weights[option] + left, cost = costs[option];
            for (option++; option < start[block + 1] && weights[option] <= most; option++)
                if (cost - costs[option] > best)
                    best = cost - costs[option], best_block = block, best_option = option;
        }
        if (best_block < 0)
            return saved;
        left -= weights[best_option] - weights[chosen[best_block]];
        chosen[best_block] = best_option;
        saved += best;
    }
}

static int first_in_order(const i64 *parent, const i64 *option, i64 a, i64 ao, i64 b, i64 bo) {
    while (a != b) {
        ao = option[a], bo = option[b];
        a = parent[a], b = parent[b];
    }
    return ao < bo;
}

static i64 *grown(i64 *array, i64 size) { return realloc(array, 2 * size * sizeof(i64)); }

static i64 enumerate_core(i64 count, const i64 *blocks, const i64 *start, const i64 *options,
                     const i64 *weights, const i64 *reduced, i64 used, i64 capacity, i64 gain,
                     i64 slack, i64 *chosen) {
    i64 rest_least = 0, rest_most = 0, rest_free = 0, widest = 0, size = FIRST_STATES;
    i64 *free_weight = malloc(count * sizeof(i64));
    for (i64 level = 0; level < count; level++) {
        i64 low = start[level], high = start[level + 1];
        widest = MAX(widest, high - low);
        rest_least += weights[low];
        rest_most += weights[high - 1];
        for (i64 option = low; option < high; option++)
            if (reduced[option] == 0) {
                free_weight[level] = weights[option];
                break;
            }
        rest_free += free_weight[level];
    }
    i64 *w = malloc(size * sizeof(i64)), *z = malloc(size * sizeof(i64));
    i64 *parent = malloc(size * sizeof(i64)), *picked = malloc(size * sizeof(i64));
    i64 *head = malloc(widest * sizeof(i64)), *head_w = malloc(widest * sizeof(i64));
    i64 *head_z = malloc(widest * sizeof(i64)), *head_c = malloc(widest * sizeof(i64));
    w[0] = used, z[0] = 0, parent[0] = -1, picked[0] = -1;
    i64 low = 0, high = 1;
    for (i64 level = 0; level < count; level++) {
        i64 first = start[level], width = start[level + 1] - first;
        rest_least -= weights[first];
        rest_most -= weights[first + width - 1];
        rest_free -= free_weight[level];
        i64 most = capacity - rest_least, full = capacity - rest_most, end = high;
        i64 lowest = (i64)1 << 62, stale = -1;
        for (i64 j = 0; j < width; j++)
            head[j] = low - 1;
        for (;;) {
            for (i64 j = 0; j < width; j++) {
                if (stale >= 0 && j != stale)
                    continue;
                i64 more_w = weights[first + j], more_z = reduced[first + j], state = head[j] + 1;
                for (; state < high; state++) {
                    i64 new_w = w[state] + more_w, new_z = z[state] + more_z;
                    if (new_w > most) {
                        state = high;
                        break;
                    }
                    i64 c = new_z - gain * new_w, unused = full - new_w;
                    if (c < lowest && new_z + (unused > 0 ? gain * unused : 0) <= slack) {
                        head_w[j] = new_w, head_z[j] = new_z, head_c[j] = c;
                        break;
                    }
                }
                head[j] = state;
            }
            stale = -1;
            for (i64 j = 0; j < width; j++)
                if (head[j] < high) {
                    if (stale < 0 || head_w[j] < head_w[stale])
                        stale = j;
                    else if (head_w[j] == head_w[stale] &&
                             (head_c[j] < head_c[stale] ||
                              (head_c[j] == head_c[stale] &&
                               first_in_order(parent, picked, head[j], first + j, head[stale],
                                              first + stale))))
                        stale = j;
                }
            if (stale < 0)
                break;
            if (head_c[stale] >= lowest)
                continue;
            lowest = head_c[stale];
            if (end == size) {
                w = grown(w, size), z = grown(z, size);
                parent = grown(parent, size), picked = grown(picked, size);
                size *= 2;
            }
            w[end] = head_w[stale], z[end] = head_z[stale];
            parent[end] = head[stale], picked[end] = first + stale;
            end++;
            i64 left = capacity - head_w[stale] - rest_free;
            if (left >= 0)
                slack = MIN(slack, head_z[stale] + gain * left);
        }
        low = high, high = end;
    }
    i64 state = high - 1;
    for (i64 level = count - 1; level >= 0; level--) {
        chosen[blocks[level]] = options[picked[state]];
        state = parent[state];
    }
    free(free_weight), free(w), free(z), free(parent), free(picked);
    free(head), free(head_w), free(head_z), free(head_c);
    return SOLVED;
}

static i64 solve(i64 count, const i64 *start, const i64 *weights, const i64 *costs, i64 capacity,
            const i64 *kind, const i64 *step_start, const i64 *before, const i64 *after,
            const double *slopes, i64 *chosen) {
    i64 steps = step_start[count], size = start[count], needed = 0;
    double heaviest = 0, most_cost = 0;
    i64 *ends = malloc(count * sizeof(i64));
    for (i64 block = 0; block < count; block++) {
        i64 low = start[block], high = start[block + 1], dearest = 0;
        while (low < high) {
            i64 middle = (low + high) / 2;
            if (weights[middle] <= capacity)
                low = middle + 1;
            else
                high = middle;
        }
        ends[block] = low;
        heaviest += (double)weights[low - 1];
        for (i64 option = start[block]; option < low; option++)
            dearest = MAX(dearest, llabs(costs[option]));
        most_cost += (double)dearest;
    }
    if (heaviest >= EXACT) {
        free(ends);
        return TOO_LARGE;
    }
    i64 *step_weights = malloc(steps * sizeof(i64));
    for (i64 step = 0; step < steps; step++) {
        step_weights[step] = weights[after[step]] - weights[before[step]];
        needed += step_weights[step];
    }
    if (needed <= capacity) {
        for (i64 block = 0; block < count; block++) {
            i64 low = step_start[block], high = step_start[block + 1];
            chosen[block] = high > low ? after[high - 1] : start[block];
        }
        free(step_weights), free(ends);
        return SOLVED;
    }
    double slope = break_slope(slopes, step_weights, steps, capacity);
    free(step_weights);
    i64 left = capacity, cost = 0, broken = -1;
    for (i64 block = 0; block < count; block++) {
        i64 option = start[block];
        for (i64 step = step_start[block]; step < step_start[block + 1] && slopes[step] > slope;
             step++)
            option = after[step];
        chosen[block] = option;
        left -= weights[option];
        cost += costs[option];
    }
    for (i64 block = 0; block < count; block++)
        for (i64 step = step_start[block]; step < step_start[block + 1]; step++) {
            if (slopes[step] == slope && before[step] == chosen[block]) {
                i64 weight = weights[after[step]] - weights[before[step]];
                if (weight <= left) {
                    left -= weight;
                    cost += costs[after[step]] - costs[before[step]];
                    chosen[block] = after[step];
                } else if (broken < 0)
                    broken = step;
            } else if (slopes[step] < slope)
                break;
        }
    if (broken < 0) {
        free(ends);
        return TOO_LARGE;
    }
    i64 gain = costs[before[broken]] - costs[after[broken]];
    i64 weight = weights[after[broken]] - weights[before[broken]];
    double most_weight = heaviest + (double)capacity;
    double total = (double)weight * most_cost + (double)gain * most_weight;
    if (total >= EXACT) {
        i64 scaled = MAX(1, (i64)((double)weight / total * (EXACT / 2)));
        gain = (i64)((double)gain / (double)weight * (double)scaled);
        weight = scaled;
        if ((double)weight * most_cost + (double)gain * most_weight >= EXACT) {
            free(ends);
            return TOO_LARGE;
        }
    }
    i64 *reduced = malloc(size * sizeof(i64)), *kept = malloc(size * sizeof(i64));
    i64 *blocks = malloc(count * sizeof(i64)), *core_start = malloc((count + 1) * sizeof(i64));
    i64 *core_weights = malloc(size * sizeof(i64)), *core_reduced = malloc(size * sizeof(i64));
    i64 bound = -gain * capacity;
    for (i64 block = 0; block < count; block++) {
        i64 low = start[block], high = ends[block];
        i64 least = weight * costs[low] + gain * weights[low];
        for (i64 option = low; option < high; option++) {
            i64 price = weight * costs[option] + gain * weights[option];
            reduced[option] = price;
            least = MIN(least, price);
        }
        for (i64 option = low; option < high; option++)
            reduced[option] -= least;
        bound += least;
    }
    cost -= improved(count, start, weights, costs, chosen, left);
    i64 slack = weight * cost - bound, open_blocks = 0, used = 0, number = 0;
    for (i64 block = 0; block < count; block++) {
        i64 last = start[block];
        number = 0;
        for (i64 option = start[block]; option < ends[block]; option++) {
            number += reduced[option] <= slack;
            last = reduced[option] <= slack ? option : last;
        }
        chosen[block] = last;
        if (number == 1)
            used += weights[chosen[block]];
        else {
            i64 at = open_blocks++;
            for (; at > 0 && kind[blocks[at - 1]] > kind[block]; at--)
                blocks[at] = blocks[at - 1];
            blocks[at] = block;
        }
    }
    i64 status = SOLVED;
    if (open_blocks) {
        number = 0;
        for (i64 level = 0; level < open_blocks; level++) {
            core_start[level] = number;
            for (i64 option = start[blocks[level]]; option < ends[blocks[level]]; option++)
                if (reduced[option] <= slack) {
                    kept[number] = option;
                    core_weights[number] = weights[option];
                    core_reduced[number++] = reduced[option];
                }
        }
        core_start[open_blocks] = number;
        status = enumerate_core(open_blocks, blocks, core_start, kept, core_weights, core_reduced, used,
                           capacity, gain, slack, chosen);
    }
    free(reduced), free(kept), free(blocks), free(core_start), free(core_weights), free(ends);
    free(core_reduced);
    return status;
}

i64 solve_latency(i64 problems, i64 layers, const i64 *start, const i64 *copies, const i64 *shares,
                  const i64 *step_start, const i64 *before, const i64 *after, const double *ratios,
                  const i64 *tiles, const i64 *per_unit, i64 budget, i64 *chosen) {
    i64 size = start[layers], steps = step_start[layers], status = SOLVED;
    i64 *weights = malloc(size * sizeof(i64)), *costs = malloc(size * sizeof(i64));
    i64 *kind = malloc(layers * sizeof(i64));
    double *slopes = malloc(steps * sizeof(double));
    for (i64 row = 0; row < problems && status == SOLVED; row++) {
        const i64 *t = tiles + row * layers, *p = per_unit + row * layers;
        i64 *out = chosen + row * layers, capacity = budget;
        for (i64 layer = 0; layer < layers; layer++) {
            capacity -= t[layer];
            for (i64 option = start[layer]; option < start[layer + 1]; option++) {
                weights[option] = (copies[option] - 1) * t[layer];
                costs[option] = shares[option] * p[layer];
            }
            double ratio = (double)p[layer] / (double)MAX(t[layer], 1);
            for (i64 step = step_start[layer]; step < step_start[layer + 1]; step++)
                slopes[step] = ratios[step] * ratio;
            kind[layer] = layer;
            for (i64 other = 0; other < layer; other++)
                if (t[other] == t[layer] && p[other] == p[layer] &&
                    copies[start[other + 1] - 1] == copies[start[layer + 1] - 1]) {
                    kind[layer] = kind[other];
                    break;
                }
        }
        status = solve(layers, start, weights, costs, capacity, kind, step_start, before, after,
                       slopes, out);
        for (i64 layer = 0; layer < layers && status == SOLVED; layer++)
            out[layer] = copies[out[layer]];
    }
    free(weights), free(costs), free(kind), free(slopes);
    return status;
}
