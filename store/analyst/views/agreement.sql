-- How well two readers agree in a finding that is a category: Cohen's kappa, of all patients whom both of them judged.
-- Numbers have no kappa and are not here; consensus is no reader. One row per pair and weighting.
-- @study the study's id
-- @variable name of the finding
-- @reader_a one reader
-- @reader_b the other
-- @weighting unweighted; linear or quadratic where the study file declares that the levels are in order
-- @patients patients with a level by both readers
-- @agreement share of patients of whom both say the same; weighted, the mean weight
-- @expected what chance would give: agreement of readers with these frequencies who do not look at the same patients
-- @kappa (agreement - expected) / (1 - expected)
-- @standard_error asymptotic, of Fleiss, Cohen and Everitt (1969, doi:10.1037/h0028106)
-- @lower lower 95 % bound of kappa; NULL where the standard error is 0, which no finite number of patients justifies
-- @upper upper 95 % bound of kappa, 1 at most
-- @reason why there is no kappa
with declared as (
    select
        s.study, v.key as variable, v.value ->> 'weights' as weights, json_array_length(v.value -> 'levels') as size,
        unnest(from_json(v.value -> 'levels', '["VARCHAR"]')) as level,
        generate_subscripts(from_json(v.value -> 'levels', '["VARCHAR"]'), 1) as place
    from catalogue.studies s, json_each(s.definition -> '$.findings.variables') v
    where (v.value ->> 'levels') is not null
),
placed as (
    select f.study, f.patient, f.variable, f.reader, d.place, d.size, d.weights
    from catalogue.findings f
    join declared d on d.study = f.study and d.variable = f.variable and d.level = f.level
    where f.reader <> 'consensus'
),
pairs as (
    select
        a.study, a.variable, a.reader as reader_a, b.reader as reader_b, a.size, a.place as i, b.place as j,
        unnest(['unweighted', a.weights]) as weighting
    from placed a
    join placed b on b.study = a.study and b.variable = a.variable and b.patient = a.patient and a.reader < b.reader
),
counted as (
    select *, sum(patients) over (partition by study, variable, reader_a, reader_b, weighting) as n
    from (select *, count(*) as patients from pairs where weighting is not null group by all)
),
cells as (
    select
        * exclude (patients), patients / n as p,
        case weighting
            when 'unweighted' then (i = j)::double
            when 'linear' then 1 - abs(i - j) / (size - 1)
            else 1 - ((i - j) / (size - 1)) ** 2
        end as w
    from counted
),
by_a as (
    select study, variable, reader_a, reader_b, weighting, size, i, sum(p order by j) as p
    from cells group by all
),
by_b as (
    select study, variable, reader_a, reader_b, weighting, j, sum(p order by i) as p
    from cells group by all
),
crossed as (
    select
        a.study, a.variable, a.reader_a, a.reader_b, a.weighting, a.i, b.j, a.p as p_a, b.p as p_b,
        case a.weighting
            when 'unweighted' then (a.i = b.j)::double
            when 'linear' then 1 - abs(a.i - b.j) / (a.size - 1)
            else 1 - ((a.i - b.j) / (a.size - 1)) ** 2
        end as w
    from by_a a
    join by_b b using (study, variable, reader_a, reader_b, weighting)
),
mean_a as (
    select study, variable, reader_a, reader_b, weighting, i, sum(p_b * w order by j) as w from crossed group by all
),
mean_b as (
    select study, variable, reader_a, reader_b, weighting, j, sum(p_a * w order by i) as w from crossed group by all
),
chance as (
    select study, variable, reader_a, reader_b, weighting, sum(p_a * p_b * w order by i, j) as expected
    from crossed group by all
),
observed as (
    select study, variable, reader_a, reader_b, weighting, n, sum(p * w order by i, j) as agreement
    from cells group by all
),
spread as (
    select
        c.study, c.variable, c.reader_a, c.reader_b, c.weighting,
        sum(c.p * (c.w * (1 - e.expected) - (a.w + b.w) * (1 - o.agreement)) ** 2 order by c.i, c.j) as squares
    from cells c
    join mean_a a using (study, variable, reader_a, reader_b, weighting, i)
    join mean_b b using (study, variable, reader_a, reader_b, weighting, j)
    join chance e using (study, variable, reader_a, reader_b, weighting)
    join observed o using (study, variable, reader_a, reader_b, weighting)
    group by all
),
judged as (
    select
        o.*, e.expected, e.expected > 1 - 1e-12 as is_constant,
        case
            when e.expected <= 1 - 1e-12 then
                sqrt(
                    greatest(s.squares - (o.agreement * e.expected - 2 * e.expected + o.agreement) ** 2, 0)
                    / (o.n * (1 - e.expected) ** 4)
                )
        end as standard_error
    from observed o
    join chance e using (study, variable, reader_a, reader_b, weighting)
    join spread s using (study, variable, reader_a, reader_b, weighting)
),
told as (
    select *, case when not is_constant then (agreement - expected) / (1 - expected) end as kappa from judged
)
select
    study, variable, reader_a, reader_b, weighting, n::bigint as patients, agreement, expected, kappa, standard_error,
    case when standard_error > 1e-9 then kappa - 1.959963984540054 * standard_error end as lower,
    case when standard_error > 1e-9 then least(kappa + 1.959963984540054 * standard_error, 1) end as upper,
    case when is_constant then 'both readers give all patients the same level' end as reason
from told
order by study, variable, reader_a, reader_b, weighting desc
