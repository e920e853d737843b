"""A revision travels as ETag and If-Match, and who changes what was changed since is told so."""

import pytest

ME = "/v1/people/me"


def change(person, *, match=None, **fields):
    headers = person.headers | ({} if match is None else {"If-Match": match})
    return person.door.simulate_patch(ME, json=fields, headers=headers)


def test_what_has_a_revision_bears_it_as_its_etag(ada):
    told = ada.get(ME)
    assert told.headers["etag"] == f'"{told.json["revision"]}"'
    changed = change(ada, display_name="Ada L.")
    assert changed.headers["etag"] == f'"{changed.json["revision"]}"'
    assert changed.headers["etag"] != told.headers["etag"]
    assert "etag" not in ada.get("/v1/rooms").headers


def test_who_read_it_last_may_change_it_and_the_other_is_told(ada):
    read = ada.get(ME).headers["etag"]
    assert change(ada, match=read, bio="One.").status_code == 200
    refused = change(ada, match=read, bio="Two.")
    assert (refused.status_code, refused.json["code"]) == (412, "outdated")
    assert refused.json["params"]["revision"] == ada.get(ME).json["revision"]
    assert ada.get(ME).json["bio"] == "One."


def test_the_field_says_the_same_and_is_answered_as_a_conflict(ada):
    read = ada.get(ME).json["revision"]
    assert change(ada, revision=read, bio="One.").status_code == 200
    refused = change(ada, revision=read, bio="Two.")
    assert (refused.status_code, refused.json["code"]) == (409, "outdated")


def test_any_revision_will_do_where_it_is_said_so(ada):
    assert change(ada, match="*", bio="One.").status_code == 200
    assert change(ada, match="*", bio="Two.").status_code == 200


def test_any_revision_in_the_header_leaves_the_field_its_answer(ada):
    read = ada.get(ME).json["revision"]
    refused = change(ada, match="*", revision=read + 1, bio="One.")
    assert (refused.status_code, refused.json["code"]) == (409, "outdated")
    assert change(ada, match="*", revision=read, bio="One.").status_code == 200


def reads_of(person, match, path=ME, wire="people.me"):
    """The same by its route, by its head and by its name."""
    headers = person.headers | {"If-Match": match}
    get, head = (person.door.simulate_request(it, path, headers=headers) for it in ("GET", "HEAD"))
    return [get, head, person.door.simulate_post(f"/v1/do/{wire}", headers=headers)]


def test_what_is_read_may_be_asked_for_by_its_revision(ada):
    read = ada.get(ME).headers["etag"]
    for match in (read, "*"):
        assert [each.status_code for each in reads_of(ada, match)] == [200, 200, 200]
    change(ada, bio="One.")
    told = reads_of(ada, read)
    assert [each.status_code for each in told] == [412, 412, 412]
    assert told[0].json["code"] == told[2].json["code"] == "outdated"
    assert told[0].json["params"] == {"revision": ada.get(ME).json["revision"]}


def test_what_is_read_under_no_etag_or_has_no_revision_is_refused(ada):
    assert [each.status_code for each in reads_of(ada, "1")] == [422, 422, 422]
    told = reads_of(ada, '"1"', "/v1/rooms", "rooms.public")
    assert [each.status_code for each in told] == [422, 422, 422]
    assert told[0].json["fields"][0]["field"] == "If-Match"


def test_it_is_said_once(ada):
    refused = change(ada, match='"1"', revision=1, bio="One.")
    assert refused.status_code == 422
    assert refused.json["fields"] == [
        {"field": "revision", "problem": "is given by the header If-Match; leave it out here"}
    ]


@pytest.mark.parametrize("match", ["1", 'W/"1"', '"1", "2"', '"one"', "", '"01"', '"-1"', '"' * 9])
def test_what_is_no_etag_of_ours_is_named(ada, match):
    refused = change(ada, match=match, bio="One.")
    assert refused.status_code == 422
    assert [problem["field"] for problem in refused.json["fields"]] == ["If-Match"]
    assert ada.get(ME).json["bio"] == ""


def test_where_nothing_has_revisions_it_is_not_passed_over(ada):
    headers = ada.headers | {"If-Match": '"1"'}
    refused = ada.door.simulate_post("/v1/rooms", json={"name": "A"}, headers=headers)
    assert refused.status_code == 422
    assert refused.json["fields"][0]["field"] == "If-Match"
