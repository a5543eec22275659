#!/usr/bin/env python3
"""Golden files for the chat templates: what transformers and jinja2 make of them.

    python tools/golden/templates.py            # rewrites tokenizer/src/test/resources/template
    python tools/golden/templates.py --all DIR  # every template of TRL, into another folder

Needs transformers, trl and jinja2. The templates of TRL (Apache-2.0) and of transformers (Apache-2.0) are copied with a
NOTICE; those of Puna itself are read from tokenizer/src/main/resources.
"""
import datetime
import importlib.util
import json
import pathlib
import sys

import jinja2
import transformers
import transformers.utils.chat_template_utils as chat

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESOURCES = ROOT / "tokenizer/src/test/resources/template"
OWN = ROOT / "tokenizer/src/main/resources/dev/puna/tokenizer/template"
CHOSEN = """cohere cohere2 deepseek_r1_distill deepseekv3 deepseekv3_training gemma gemma3 gemma3_training gemma4 glm4moe
glm4moe_training gptoss gptoss_training idefics3 lfm2 lfm2_2_5 llama3 llama3_training llama3_1 llama3_2 llava_next
muse_glimmer nemotron_3_nano nemotron_3_ultra phi3 phi3_5_training qwen2_5 qwen2_5_training qwen3 qwen3_training
qwen3_5_think qwen3_6 qwen3_8 qwen3_instruct_2507 qwen3_vl""".split()


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 14, 5, 9)


chat.datetime = FixedTime

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Current weather of a place",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Name of the <city> & country"},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                    "days": {"type": "integer", "description": "Days ahead"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["city"],
            },
            "return": {"type": "object", "description": "Temperature and wind"},
        },
    },
    {
        "type": "function",
        "function": {
            "name": "now",
            "description": "The time — 時刻",
            "parameters": {"type": "object", "properties": {}},
        },
    },
]

CONVERSATIONS = {
    "single": [{"role": "user", "content": "What is the capital of Peru?"}],
    "unicode": [
        {"role": "system", "content": "  You answer in rhyme.\nAlways. "},
        {"role": "user", "content": "{{ 7*7 }} {% raise %} {# no #} ünïcödé 🦙 \u2028 日本"},
        {"role": "assistant", "content": "Forty-nine?\n\"It's\" <b>fine</b> & \\ done. "},
        {"role": "user", "content": "\tAnd {{ messages }}?\n\n"},
        {"role": "assistant", "content": "No </think> more."},
        {"role": "user", "content": "Thanks"},
    ],
    "tools": [
        {"role": "user", "content": "Weather in Cusco, and the time?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {
                    "id": "call00001",
                    "type": "function",
                    "function": {
                        "name": "get_weather",
                        "arguments": {"city": "Cusco <Perú>", "days": 2, "tags": ["a", "b\n"], "wind": 1.5, "x": None},
                    },
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call00001", "name": "get_weather", "content": '{"temperature": 11.5}'},
        {"role": "assistant", "content": "It is 11.5 °C."},
    ],
}

VARIABLES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def templates(every):
    trl = pathlib.Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"
    found = {}
    for path in sorted(trl.glob("*.jinja")):
        if every or path.stem in CHOSEN:
            found["trl-" + path.stem] = path.read_text()
    from transformers.models.smolvlm import processing_smolvlm

    found["transformers-smolvlm"] = processing_smolvlm.DEFAULT_CHAT_TEMPLATE
    for path in sorted(OWN.glob("*.jinja")):
        found["puna-" + path.stem] = path.read_text()
    for path in sorted((RESOURCES / "own").glob("*.jinja")):
        found["own-" + path.stem] = path.read_text()
    return found


def failure(error):
    raised = type(error) is jinja2.exceptions.TemplateError
    return {"error": type(error).__name__, "message": str(error), "raised": raised}


def renderings(found):
    for name, source in found.items():
        for conversation, messages in CONVERSATIONS.items():
            for with_tools in (False, True):
                prompt = messages[-1]["role"] == "user"
                row = {"template": name, "conversation": conversation, "tools": with_tools, "prompt": prompt}
                try:
                    texts, spans = chat.render_jinja_template(
                        [messages],
                        tools=TOOLS if with_tools else None,
                        chat_template=source,
                        add_generation_prompt=prompt,
                        return_assistant_tokens_mask=True,
                        **VARIABLES,
                    )
                    row["text"] = texts[0]
                    row["spans"] = spans[0]
                except Exception as error:
                    row.update(failure(error))
                yield row


CONTEXT = {
    "s": "Hello World",
    "u": "naïve 🦙 Straße ǆ",
    "w": "  pad\t\n",
    "n": 7,
    "f": 2.5,
    "big": 123456789012345678901234567890,
    "t": True,
    "z": None,
    "l": [3, 1, 2],
    "e": [],
    "names": ["bob", "Alice", "carol", "alice"],
    "d": {"b": 1, "a": [1, 2.0, "x", None, True], "items": "own", "C": {"k": "v"}},
    "users": [
        {"name": "Ann", "age": 31, "city": "Lima"},
        {"name": "bob", "age": 25, "city": "cusco"},
        {"name": "Cy", "age": 31, "city": "lima"},
        {"name": "dee", "city": "Cusco", "admin": True},
    ],
    "html": "<a href='x'>\"&\"</a>",
    "evil": "{{ 7*7 }}",
}

EXPRESSIONS = r"""
n
-n
+n
n + 1
n - 10
n * 3
n / 2
n // 2
-n // 2
n % 4
-n % 4
n % -4
n ** 3
2 ** -1
-2 ** 2
2 ** 3 ** 2
f * 2
f // 1
-f // 1
f % 1
-5.5 % 2
5.5 // -2
7 / 7
big
big * big
big // 7
big % 97
big + 0.5
10 ** 15
10.0 ** 15
10.0 ** 16
1e16
1e22
1.5e300 * 1e10
0.1 + 0.2
1 / 3
100.0
1e-4
1e-5
0.00012345
123456789.125
5e-324
2.2250738585072014e-308
1.7976931348623157e308
1e400
-1e400
-0.0
1_000
0x1F
0b101
0o17
1 / 0
1 // 0
1 % 0
t + 1
t and 1
z or 5
not z
not not n
1 == 1.0
1 == true
'1' == 1
z == none
missing == missing
missing == none
missing != none
[1, 2] == [1, 2]
[1, 2] == (1, 2)
(1, 2) == (1, 2)
{'a': 1} == {'a': 1.0}
1 < 2 < 3
1 < 3 < 2
3 > 2 >= 2 != 1
'a' < 'b'
'Z' < 'a'
[1, 2] < [1, 3]
[1] < [1, 0]
(1, 'a') <= (1, 'b')
1 < 'a'
none < 1
missing < 1
'a' in 'abc'
1 in l
4 not in l
'b' in d
'zz' in d
1 in 'abc'
missing in 'abc'
'a' in missing
'a' in none
'a' in 5
'a' ~ 1 ~ none ~ true ~ 2.0
'a' ~ missing ~ 'b'
'a' 'b'
'a' + 'b'
'a' + 1
1 + 'a'
[1] + [2]
(1,) + (2,)
[1] + (2,)
'ab' * 3
3 * 'ab'
[0] * 3
'ab' * -1
'a' * 1.5
1 if t
1 if z
1 if z else 2
(1 if z) is defined
1 if t else 2 if z else 3
s
u
w
evil
z
t
d
l
e
{}
()
(1,)
(1, 2)
[1, [2, {'a': 'b'}]]
{'it"s': "it's", "both": "'\"", 1: 2, none: true, (1, 2): 3.5}
['\n\t\\\x00\x7f\xa0é\u2028🦙\u200b\ud800']
"\a\b\f\v\r\0\101\x41\u00e9\U0001F999\N{DIGIT ONE}\q\
x"
'\xzz'
s[0]
s[-1]
s[20]
s[1:4]
s[::-1]
s[::2]
s[-3:]
s[:-3]
s[10:2:-2]
s[::0]
s['a':]
u[6]
u[::-1]
u[5:8]
u|length
l[0]
l[-1]
l[9]
l[1:]
l[::-1]
l[:-1]
(1, 2, 3)[1:]
z[0]
z[1:]
missing[1:]
missing[0]
missing.a
d.b
d.a
d['a'][2]
d.a.1
d.C.k
d.zz
d.zz.y
d.zz.y.x
d['items']
d.C['items'] is defined
d.C.items is callable
d.get('b')
d.get('zz')
d.get('zz', 4)
d.items()
d.keys()
d.values()
d.items()|list
d.keys()|list
d|list
d|length
d|first
d|last
d.update({'x': 1})
d.pop is defined
l.append(1)
l.append is defined
l.index(1)
l.index(9)
l.count(3)
l.copy()
d.copy() == d
s.__class__
s.__class__ is defined
d.__len__()
s.nope
s.nope is defined
n.real is string
s.upper()
s.lower()
s.title()
"they're bill's 3rd".title()
"they're bill's-x (y)"|title
s.swapcase()
u.upper()
u.title()
u.capitalize()
'ΑΣ ΣΑΣ'.lower()
w.strip()
w.lstrip()
w.rstrip()
'xxaxx'.strip('x')
'xyaxy'.lstrip('yx')
'xyaxy'.rstrip('yx')
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
'a,b,,c'.rsplit(',', 1)
'  a  b c '.split()
'  a  b c '.split(none, 1)
'  a  b c '.rsplit(none, 1)
'  a  b c '.split(maxsplit=1)
'a b'.split('')
''.split()
''.split(',')
'a--b--c'.split('--')
'a\nb\r\nc\x0bd\x85'.splitlines()
'a\nb\n'.splitlines(true)
s.startswith('Hell')
s.startswith(('x', 'H'))
s.startswith('World', 6)
s.startswith('World', -5)
s.endswith('World')
s.endswith('o', 0, 5)
s.endswith(1)
s.find('o')
s.rfind('o')
s.find('o', 5)
s.find('zz')
s.find('o', -4, -1)
s.index('zz')
u.find('S')
s.count('o')
s.count('')
s.count('o', 5)
'aaaa'.count('aa')
s.replace('o', '0')
s.replace('o', '0', 1)
'abc'.replace('', '-')
'abc'.replace('', '-', 2)
s.removeprefix('Hello ')
s.removesuffix('World')
s.removeprefix('x')
', '.join(['a', 'b'])
', '.join([1])
'-'.join('abc')
s.partition(' ')
s.rpartition('o')
s.partition('zz')
s.center(15, '*')
'ab'.center(5, '-')
'abc'.center(6, '-')
s.ljust(13) ~ '|'
s.rjust(13, '.')
'42'.zfill(5)
'-42'.zfill(5)
'abc'.isalpha()
'abc1'.isalnum()
'12'.isdigit()
'½'.isnumeric()
'²'.isdigit()
' \n'.isspace()
'Ab'.isupper()
'ab'.islower()
'a\tb'.expandtabs(4)
'ß'.casefold()
'%s-%s' % ('a', 1)
'%s' % 'a'
'%d items' % 3
'%5d|%-5d|%05d|%+d' % (42, 42, 42, 42)
'%x %X %o %#x %c' % (255, 255, 8, 255, 65)
'%.2f %8.3f %e %g %G' % (3.14159, 2.71828, 12345.678, 0.00001, 1e10)
'%g %g %g' % (100000, 1000000, 1.5)
'%r %s %%' % ('a', none)
'%(a)s %(b)d' % {'a': 1, 'b': 2}
'%.3s|%10s|%-10s|' % ('abcdef', 'x', 'y')
'%s %s' % ('a',)
'%s' % ('a', 'b')
'%d' % 'a'
'%d' % 3.99
'%y' % 1
'%*d' % (5, 42)
'%s' % [1, 2]
'{} {}'.format(1, 'a')
'{0} {1} {0}'.format('a', 'b')
'{a} {b!r}'.format(a=1, b='x')
'{:>8}|{:<8}|{:^8}|{:*^9}'.format('a', 'b', 'c', 'd')
'{:05d} {:+d} {:,} {:_}'.format(42, 42, 1234567, 1234567)
'{:.2f} {:e} {:g} {:%} {:.1%}'.format(3.14159, 12345.678, 0.00001, 0.5, 0.256)
'{:x} {:#x} {:b} {:o} {:X}'.format(255, 255, 5, 8, 255)
'{} {} {}'.format(true, none, 1.0)
'{:10}|{:10}|'.format(1, 'a')
'{:>{w}}'.format('a', w=5)
'{0[k]} {1.b}'.format({'k': 'v'}, {'b': 1})
'{{}} {}'.format(1)
'{'.format(1)
'}'.format(1)
'{} {0}'.format(1)
'{2}'.format(1)
'{x}'.format(1)
'{0.__class__}'.format(1)
'{:.3}'.format('abcdef')
'{:.3}'.format(1234.5)
'{:z}'.format('a')
'%s, %s!'|format('Hello', 'you')
'%(x)s'|format(x=3)
s|upper
s|lower
'hELLO wORLD'|capitalize
'hello-world foo'|title
w|trim
'xxaxx'|trim('x')
5|trim
missing|trim
none|trim
s|length
l|count
5|length
none|length
missing|length
s|replace('l', 'L')
s|replace('l', 'L', 2)
123|replace('2', 'x')
l|join
l|join(', ')
l|join('-', attribute='real') is string
users|join(', ', attribute='name')
[1, none, 'a', 2.5, missing]|join(',')
5|join
missing|join(',')
d|join(',')
s|list
l|first
l|last
e|first
e|last
e|first is defined
s|first
s|last
missing|first is defined
l|sort
l|sort(reverse=true)
names|sort
names|sort(case_sensitive=true)
names|sort(true)
users|sort(attribute='name')|map(attribute='name')|join(',')
users|sort(attribute='city,name')|map(attribute='name')|join(',')
users|sort(attribute='age')
['a', 1]|sort
[none, none]|sort
[[2, 'a'], [1, 'b']]|sort
[true, 0, 2]|sort
names|unique|list
names|unique(true)|list
[1, 1.0, true, 2]|unique|list
users|unique(attribute='city')|map(attribute='name')|list
[[1], [1]]|unique|list
l|min
l|max
names|min
names|max
e|max
users|selectattr('age')|min(attribute='age')
l|sum
users|selectattr('age', 'defined')|sum(attribute='age')
[[1], [2]]|sum(start=[])
['a']|sum
l|reverse|list
s|reverse
(1, 2)|reverse|list
5|reverse
l|map('string')|list
names|map('upper')|join(',')
users|map(attribute='age')|list
users|map(attribute='age', default=0)|list
names|map('replace', 'a', 'A')|list
l|map('nope')|list
l|map|list
l|select('odd')|list
l|select('greaterthan', 1)|list
l|reject('equalto', 3)|list
[0, 1, '', 'a', none]|select|list
[0, 1, '', 'a', none]|reject|list
users|selectattr('admin')|map(attribute='name')|list
users|selectattr('admin', 'undefined')|map(attribute='name')|list
users|rejectattr('age', 'equalto', 31)|map(attribute='name')|list
users|selectattr('age', '>', 30)|list
l|select('nope')|list
l|select is iterable
l|select is sequence
l|map('string') is string
users|groupby('city')
users|groupby('city', case_sensitive=true)|map('first')|list
users|groupby('age', default=0)|map(attribute='grouper')|list
d|dictsort|map('first')|list
d|dictsort(true)|map('first')|list
{'x': 2, 'y': 1}|dictsort(by='value')
{'x': 2, 'y': 1}|dictsort(reverse=true)
{'x': 2}|dictsort(by='z')
d|items|list
missing|items|list
5|items|list
l|batch(2)|list
[1, 2, 3, 4, 5]|batch(2, 'x')|list
[1, 2, 3, 4, 5]|slice(2)|list
[1, 2, 3, 4, 5]|slice(3, 'x')|list
missing|default('x')
missing|d
none|default('x')
none|default('x', true)
''|default('x', boolean=true)
d.zz|default('y')
'42'|int
'42.7'|int
'x'|int
'x'|int(7)
'0x1f'|int(base=16)
'ff'|int(0, 16)
' 1_000 '|int
2.9|int
-2.9|int
none|int
true|int
[]|int(3)
missing|int
'1e3'|int
'3.5'|float
'x'|float
'x'|float(1.5)
3|float
none|float
'inf'|float
'nan'|float
'1_0.5'|float
-3|abs
-3.5|abs
'a'|abs
42.55|round
42.55|round(1)
2.675|round(2)
0.5|round
1.5|round
2.5|round
42.55|round(1, 'floor')
42.51|round(0, 'ceil')
42|round
1234|round(-2)
1250|round(-2)
'a'|round
5|string
none|string
missing|string
d.a|string
html|escape
html|e|e
html|forceescape
html|safe
html|safe|length
(html|safe) + '<b>'
'<b>' + (html|safe)
'<b>' ~ (html|safe)
('<i>'|safe) % '<b>'
('%s'|safe) % '<b>'
('<{}>'|safe).format('<b>')
('<i>'|safe)|upper
('<i>'|safe) is string
('<i>'|safe) is escaped
('<i>'|safe) == '<i>'
('a'|safe) in 'abc'
['<'|safe]
('<'|safe).join(['>', '<'|safe])
('a<b'|safe).replace('<', '>')
('a b'|safe).split()
('<'|safe)|tojson
('<'|safe) * 2
'<' + 1|string|safe
d|tojson
d|tojson(indent=2)
d|tojson(indent=4)
d|tojson(indent='\t')
d|tojson(separators=(',', ':'))
d|tojson(sort_keys=true)
d|tojson(true)
u|tojson
u|tojson(ensure_ascii=true)
html|tojson
'\x00\x1f\x7f\u2028\n"\\/'|tojson
'\x00\x7f\u2028🦙'|tojson(ensure_ascii=true)
[1, 2.0, 1e22, none, true, 'x', (1, 2), [], {}]|tojson
[[], {}, [[]]]|tojson(indent=2)
{1: 2, none: 3, true: 4, 2.5: 5}|tojson
{(1, 2): 3}|tojson
big|tojson
missing|tojson
('nan'|float)|tojson
(1e400)|tojson
d.items()|tojson
l|map('string')|tojson
s|tojson|length
'a\nb\n\nc'|indent
'a\nb\n\nc'|indent(2, true)
'a\nb\n\nc'|indent(2, blank=true)
'a\nb'|indent('> ')
'a\nb\n'|indent(2)
''|indent
5|indent
'foo bar baz qux'|truncate(9)
'foo bar baz qux'|truncate(9, true)
'foo bar baz qux'|truncate(11)
'foo bar baz qux'|truncate(11, false, '...', 0)
'foo'|center(9) ~ '|'
'one two-three'|wordcount
'a b/c?ü'|urlencode
{'a b': 'c&d'}|urlencode
1000|filesizeformat
1234567|filesizeformat
1048576|filesizeformat(true)
1|filesizeformat
d|attr('b') is defined
d|attr('get') is callable
n is number
f is number
t is number
t is integer
n is integer
f is float
f is integer
s is string
l is string
d is mapping
l is mapping
l is iterable
s is iterable
n is iterable
d is sequence
l is sequence
d.items() is sequence
missing is sequence
missing is iterable
missing is defined
missing is undefined
missing is not defined
z is none
missing is none
t is true
t is false
1 is true
t is boolean
n is odd
n is even
n is divisibleby 7
n is divisibleby(3)
n is eq 7
n is equalto 7
n is ne 7
n is gt 5
n is lt(5)
n is ge 7
n is le 6
n is in [7]
n is in(l)
n is sameas 7
z is sameas none
'A' is upper
'a' is lower
'tojson' is filter
'nope' is filter
'odd' is test
namespace is callable
s is not string or n is number
not n is number
n is number and s is string
5 is none is defined
n is nope
n|nope
nope(1)
s()
s.upper(1)
range(5)|list
range(2, 8, 3)|list
range(5, 0, -2)|list
range(5)
range(1, 9, 2)
range(3)|length
range(10)[3]
range(10)[2:5]|list
range(0)|list
range(10 ** 6)|length
range('a')
range(1, 2, 0)
dict(a=1, b=2)
dict([(1, 2)])
dict({'x': 1}, y=2)
namespace(a=1).a
namespace(a=1).b
namespace(a=1).b is defined
namespace(a=1)
namespace(a=1)['a']
namespace({'x': 2}).x
namespace(a=1) is mapping
cycler('a', 'b').next()
joiner('|')()
strftime_now('%Y-%m-%d %H:%M:%S')
strftime_now('%d %b %Y, %A %B %j %y %I %p %a %e %%')
strftime_now('%-d/%-m %U %W %w %u %V %G %F %T %D %R %C %c %x %X')
raise_exception('no: ' ~ n)
raise_exception(5)
[1, 2,]
{'a': 1,}
(1, 2,)
[x
{'a' 1}
1 +
'abc
s..upper()
s.upper(
)
a b
1 1
*l
l|join(*[', '])
'{} {x}'.format(*[1], **{'x': 2})
d['a' ~ '']
d[n]
l['0']
l[true]
l[1.0]
s[1.0]
{[]: 1}
{'a': 1, 'a': 2}
-'a'
+z
1 and
true True none None false False
True
none is none
loop
super()
""".strip("\n")


def expression_list():
    lines = EXPRESSIONS.split("\n")
    result = []
    for line in lines:
        if result and result[-1].endswith("\\") and result[-1].count('"') == 1:
            result[-1] += "\n" + line
        elif line:
            result.append(line)
    return ["{{ " + line + " }}" for line in result]


STATEMENTS = r"""
{% for x in l %}{{ x }}{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}
{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}
{% for x in l %}{{ loop.previtem is defined }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}
{% for x in l if x > 1 %}{{ x }}{{ loop.index }}/{{ loop.length }} {% endfor %}
{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}
{% for x in e %}{{ x }}{% else %}empty{% endfor %}
{% for x in missing %}{{ x }}{% else %}empty{% endfor %}
{% for x in none %}{{ x }}{% endfor %}
{% for x in 5 %}{{ x }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}
{% for k, (a, b) in [(1, (2, 3))] %}{{ k }}{{ a }}{{ b }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}
{% for a, b in [(1,)] %}{{ a }}{% endfor %}
{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}
{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in l %}{% break %}{% else %}left{% endfor %}
{% for x in l %}{% continue %}{% else %}left{% endfor %}
{% for x in l %}{{ x }}{% break %}{% endfor %}{% for y in l %}{{ y }}{% endfor %}
{% break %}
{% for x in l %}{% for y in l %}{% if y == 1 %}{% break %}{% endif %}{{ x }}{{ y }} {% endfor %}{% endfor %}
{% for x in l %}{% for y in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}
{% for x in [1, [2, [3, 4]], 5] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}@{{ loop.depth }}{% endif %} {% endfor %}
{% for x in l %}{{ loop(x) }}{% endfor %}
{% set x = 1 %}{% for y in l %}{% set x = x + y %}{{ x }} {% endfor %}{{ x }}
{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}
{% if z %}{% set x = 2 %}{% endif %}{{ x is defined }}
{% if not s is defined %}{% set s = 'new' %}{% endif %}{{ s }}
{% if z %}{% set s = 'new' %}{% endif %}{{ s }}
{% macro m() %}{{ s }}{% endmacro %}{{ m() }}{% set s = 'late' %}{{ m() }}
{% for x in [1] %}{{ s }}{% endfor %}{% set s = 'late' %}{% for x in [1] %}{{ s }}{% endfor %}
{% for x in l %}{% if loop.first %}{% set s = 'in' %}{% endif %}{{ s }} {% endfor %}{{ s }}
{% set ns = namespace(x=0) %}{% for y in l %}{% set ns.x = ns.x + y %}{% endfor %}{{ ns.x }}
{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}
{% set d.x = 1 %}
{% set nope.x = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set a, b = [1] %}
{% set (a, b) = 'xy' %}{{ b }}{{ a }}
{% set x = 1, 2 %}{{ x }}
{% set x %}a{{ n }}b{% endset %}{{ x }}|{{ x|length }}
{% set x | upper | replace('A', 'z') %}a{{ n }}b{% endset %}{{ x }}
{% set x %}{% set y = 1 %}{{ y }}{% endset %}{{ x }}{{ y is defined }}
{% filter upper %}a{{ s }}{% endfilter %}
{% filter replace('l', 'L')|trim %} a{{ s }} {% endfilter %}
{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}
{% with a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{% endwith %}
{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=3) }} {{ m(b=5, a=4) }} {{ m() }}
{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(1) }}
{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x=2) }}
{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}
{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}body {{ n }}{% endcall %}
{% macro m() %}{% for x in [1, 2] %}[{{ caller(x, y=x * 2) }}]{% endfor %}{% endmacro %}{% call(x, y) m() %}{{ x }}-{{ y }}{% endcall %}
{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}
{% macro m() %}x{% endmacro %}{% call m() %}y{% endcall %}
{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}
{% macro m(x) %}{% set y = x %}{{ y }}{% endmacro %}{{ m(3) }}{{ y is defined }}
{% macro m(x) %}{{ x }}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.caller }}
{% macro m(x) %} {{ x }} {% endmacro %}{{ m('a')|trim }}{{ m('<')|length }}{{ m }}
{% if n == 1 %}a{% elif n == 7 %}b{% else %}c{% endif %}
{% if z %}a{% elif e %}b{% else %}c{% endif %}
{% if missing %}a{% else %}b{% endif %}
{% if missing.x %}a{% endif %}
{% if l %}y{% endif %}{% if 0.0 %}n{% endif %}{% if '' %}n{% endif %}{% if {} %}n{% endif %}{% if ' ' %}y{% endif %}
{% raw %}{{ n }}{% if %}{% endraw %}{{ n }}
a{%- raw -%}  {{ x }}  {%- endraw -%}  b
{# comment {{ n }} #}x{#- c -#} y
a {%- if t %} b {% endif -%} c
a {%+ if t %} b {%+ endif +%} c
  {% if t %}  x  {% endif %}  y
line1
    {% if t %}
  two
    {% endif %}
three
{{ n -}}   {{- s }}   x
{{- n }}
{% generation %}x{{ n }}{% set q = 1 %}{% endgeneration %}{{ q is defined }}
{% print n, s %}
{% if t: %}x{% endif %}
{% for x in l: %}{{ x }}{% endfor %}
{% include 'x' %}
{% import 'x' as y %}
{% nope %}
{% endif %}
{% if t %}
{% for x in l %}{% endif %}
{% set = 1 %}
{% set true = 1 %}
{% for loop in l %}{% endfor %}
{% macro m(a=1, b) %}{% endmacro %}
{{ n
{% if t
{# open
{% raw %}x
{{ 'a' if t else }}
{{ {'a': {'b': 1}}['a']['b'] }}{{ {'x':{}}}}
{{ "}}" }}{{ '%}' }}
{% set x = "{{ 7*7 }}" %}{{ x }}{{ evil }}
{% set x = evil %}{{ x ~ evil }}{% set y %}{{ evil }}{% endset %}{{ y }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}
{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}
{% for c in u %}[{{ c }}]{% endfor %}
{% for g in users|groupby('city') %}{{ g.grouper }}:{{ g.list|length }} {% endfor %}
{% for c, items in users|groupby('city') %}{{ c }}:{{ items|map(attribute='name')|join('+') }} {% endfor %}
{% for b in [1, 2, 3]|batch(2) %}{{ b }}{% endfor %}
{% set g = l|map('string') %}{{ g|list }}{{ g|list }}
{% for x in l|select('odd') %}{{ loop.length }}{{ loop.last }}{{ x }} {% endfor %}
{% for x in range(3) %}{% set y = loop %}{{ y.index }}{% endfor %}
{% for x in l %}{% macro m() %}{{ x }}{{ loop.index }}{% endmacro %}{{ m() }}{% endfor %}
{% set a = [1] %}{% set b = a + [2] %}{{ a }}{{ b }}
{% set x = raise_exception('stop') %}
{% if false %}{{ raise_exception('no') }}{% endif %}ok
{% for x in range(200000) %}{% endfor %}
""".strip("\n")


def statement_list():
    result = []
    for line in STATEMENTS.split("\n"):
        if result and (result[-1].endswith("line1") or (result[-1].startswith("line1") and not result[-1].endswith("three"))):
            result[-1] += "\n" + line
        else:
            result.append(line)
    return result + ["a {# c #}\nb\n  {# d #}\n  {#+ e +#}\nf {#- g -#} \n h",
                     "x {% raw %}\n {{ y }}\n {% endraw %}\nz", "a\r\nb\rc\n\n", "a\n", "\n", "", "{{ n }}\n", "{% if t %}\n\nx\n{% endif %}\n\n  y"]


def snippets():
    for source in expression_list() + statement_list():
        row = {"source": source}
        try:
            row["text"] = chat._compile_jinja_template(source).render(**CONTEXT)
        except Exception as error:
            row.update(failure(error))
        yield row


def write_lines(path, rows):
    with open(path, "w", encoding="utf-8", errors="surrogatepass") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=True) + "\n")


def main():
    every = "--all" in sys.argv
    target = pathlib.Path(sys.argv[sys.argv.index("--all") + 1]) if every else RESOURCES
    (target / "templates").mkdir(parents=True, exist_ok=True)
    found = templates(every)
    for name, source in found.items():
        if not name.startswith(("puna-", "own-")) or every:
            (target / "templates" / (name + ".jinja")).write_text(source, newline="")
    inputs = {"conversations": CONVERSATIONS, "tools": TOOLS, "variables": VARIABLES, "context": CONTEXT}
    (target / "inputs.json").write_text(json.dumps(inputs, indent=1, ensure_ascii=True) + "\n")
    rows = list(renderings(found))
    half = len(rows) // 12 * 6
    write_lines(target / "renderings-1.jsonl", rows[:half])
    write_lines(target / "renderings-2.jsonl", rows[half:])
    snips = list(snippets())
    write_lines(target / "snippets.jsonl", snips)
    print(f"transformers {transformers.__version__}, jinja2 {jinja2.__version__}: {len(found)} templates,"
          f" {len(rows)} renderings ({sum('error' in row for row in rows)} refused),"
          f" {len(snips)} snippets ({sum('error' in row for row in snips)} refused)")


if __name__ == "__main__":
    main()
