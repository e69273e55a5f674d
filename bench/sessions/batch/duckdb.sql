create table events as
select unhex(event) event, unhex(client) client, "user", occurred, received, rank, campaign,
       referrer, channel, "order"
from read_csv('{table}', header = true, columns = {
    'event': 'varchar', 'client': 'varchar', 'user': 'varchar', 'occurred': 'bigint',
    'received': 'bigint', 'rank': 'tinyint', 'campaign': 'smallint', 'referrer': 'smallint',
    'channel': 'varchar', 'order': 'ubigint'
});

create macro folded() as table
with standing as (
    select * from events
    qualify row_number() over (partition by client, event order by received) = 1
), clued as (
    select *,
        occurred - lag(occurred) over c as pause,
        last_value(campaign ignore nulls)
            over (c rows between unbounded preceding and 1 preceding) as last_tag,
        last_value("user" ignore nulls)
            over (c rows between unbounded preceding and current row) as signed_in,
        first_value("user" ignore nulls)
            over (c rows between 1 following and unbounded following) as next_user,
        first_value(case when "user" is not null then occurred end ignore nulls)
            over (c rows between 1 following and unbounded following) as next_at
    from standing window c as (partition by client order by occurred, rank, event)
), owned as (
    select event, occurred, rank, campaign, channel, "order",
        coalesce(
            'u:' || coalesce(
                signed_in, case when next_at - occurred <= 7 * 86400000 then next_user end
            ),
            client::varchar
        ) as person,
        case
            when campaign is not null
                and (pause is null or pause > 1800000 or last_tag is distinct from campaign)
            then 'T'
            when campaign is null and referrer is not null
                and (pause is null or pause > 1800000)
            then 'U'
            else 'D'
        end as class
    from clued
), touched as (
    select *,
        (occurred + 7 * 3600000) // 86400000 as day,
        lag(occurred) over p as last_at,
        last_value(case when class <> 'D' then occurred end ignore nulls)
            over (p rows between unbounded preceding and 1 preceding) as touch_at,
        last_value(case when class <> 'D' then coalesce(campaign, -1) end ignore nulls)
            over (p rows between unbounded preceding and 1 preceding) as touch_key,
        last_value(case when class <> 'D' then channel end ignore nulls)
            over (p rows between unbounded preceding and 1 preceding) as touch_channel
    from owned window p as (partition by person order by occurred, rank, event)
)
select day, "order",
    case
        when class <> 'D' then channel
        when occurred - touch_at <= 72 * 3600000 then touch_channel
        else 'Direct'
    end as credited,
    last_at is null or occurred - last_at > 1800000
        or day <> (last_at + 7 * 3600000) // 86400000
        or (class = 'T' and (touch_at is null or occurred - touch_at > 72 * 3600000
            or touch_key <> campaign)) as begins
from touched;

select date '1970-01-01' + day::integer, credited, count(*) from folded() where begins group by all;

select credited, count(distinct "order") from folded() where "order" is not null group by all
