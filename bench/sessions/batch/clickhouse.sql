create database if not exists bench engine = Atomic;

create table bench.events (
    event FixedString(16), client FixedString(16), user Nullable(String), occurred Int64,
    received Int64, rank Int8, campaign Nullable(Int16), referrer Nullable(Int16),
    channel Nullable(String), order Nullable(UInt64)
) engine = Memory;

insert into bench.events
select unhex(event), unhex(client), nullIf(user, ''), occurred, received, rank, campaign, referrer,
    nullIf(channel, ''), order
from file('{table}', CSVWithNames, 'event String, client String, user String, occurred Int64,
    received Int64, rank Int8, campaign Nullable(Int16), referrer Nullable(Int16), channel String,
    order Nullable(UInt64)');

create view bench.folded as
with standing as (
    select * from bench.events order by received limit 1 by client, event
), clued as (
    select *,
        occurred - lagInFrame(toNullable(occurred))
            over (c rows between 1 preceding and current row) as pause,
        anyLast(campaign) over (c rows between unbounded preceding and 1 preceding) as last_tag,
        anyLast(user) over (c rows between unbounded preceding and current row) as signed_in,
        any(user) over (c rows between 1 following and unbounded following) as next_user,
        any(if(user is null, null, occurred))
            over (c rows between 1 following and unbounded following) as next_at
    from standing window c as (partition by client order by occurred, rank, event)
), owned as (
    select event, occurred, rank, campaign, channel, order,
        coalesce(
            concat('u:', coalesce(
                signed_in, if(next_at - occurred <= 7 * 86400000, next_user, null)
            )),
            toString(client)
        ) as person,
        multiIf(
            campaign is not null
                and (pause is null or pause > 1800000 or last_tag is null or last_tag <> campaign),
            'T',
            campaign is null and referrer is not null and (pause is null or pause > 1800000),
            'U',
            'D'
        ) as class
    from clued
), touched as (
    select *,
        intDiv(occurred + 7 * 3600000, 86400000) as day,
        lagInFrame(toNullable(occurred))
            over (p rows between 1 preceding and current row) as last_at,
        anyLast(if(class <> 'D', toNullable(occurred), null))
            over (p rows between unbounded preceding and 1 preceding) as touch_at,
        anyLast(if(class <> 'D', coalesce(campaign, -1), null))
            over (p rows between unbounded preceding and 1 preceding) as touch_key,
        anyLast(if(class <> 'D', channel, null))
            over (p rows between unbounded preceding and 1 preceding) as touch_channel
    from owned window p as (partition by person order by occurred, rank, event)
)
select day, order,
    multiIf(
        class <> 'D', channel,
        touch_at is not null and occurred - touch_at <= 72 * 3600000, touch_channel,
        'Direct'
    ) as credited,
    last_at is null or occurred - last_at > 1800000
        or day <> intDiv(last_at + 7 * 3600000, 86400000)
        or (class = 'T' and (touch_at is null or occurred - touch_at > 72 * 3600000
            or touch_key <> campaign)) as begins
from touched;

select toDate(day), credited, count() from bench.folded where begins group by all;

select credited, uniqExact(order) from bench.folded where order is not null group by all
