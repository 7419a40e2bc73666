"""Saying "not this person" over HTTP."""

from served_gallery import attach


def test_a_picture_that_is_not_somebody_is_not_taken_for_them_again(served):
    picture = served.query(0)

    def ask():
        [answer] = served.client.post("/v1/search", files=attach(picture)).json()["answers"]
        return answer

    first = ask()["candidates"][0]
    at = f"/v1/identities/{first['number']}/negatives"
    assert served.client.post(at, files=attach(picture)).status_code == 428
    added = served.client.post(at, files=attach(picture), headers={"If-Match": "*"})
    [number] = added.json()["negatives"]
    assert first["identity"] not in {one["identity"] for one in ask()["candidates"]}
    assert [one["identity"] for one in ask()["denied"]] == [first["identity"]]
    listed = served.client.get(at).json()["negatives"]
    assert listed == [{"negative": number, "entry": None, "shows": None}]
    assert served.client.delete(f"/v1/negatives/{number}").status_code == 200
    assert ask()["candidates"][0]["identity"] == first["identity"]
    assert served.client.delete(f"/v1/negatives/{number}").status_code == 404


def test_an_entry_of_another_can_be_said_not_to_be_somebody(served):
    first, second = served.client.get("/v1/identities").json()["identities"][:2]
    at = f"/v1/identities/{first['number']}/negatives"
    headers = {"If-Match": f'"{first["version"]}"'}
    added = served.client.post(at, data={"entries": [second["cover"]]}, headers=headers)
    assert added.status_code == 200
    [listed] = served.client.get(at).json()["negatives"]
    assert (listed["entry"], listed["shows"]) == (second["cover"], second["name"])
    again = served.client.post(at, data={"entries": [second["cover"]]}, headers=headers)
    assert again.status_code == 412
    nothing = served.client.post(at, data={}, headers={"If-Match": "*"})
    assert nothing.status_code == 422
